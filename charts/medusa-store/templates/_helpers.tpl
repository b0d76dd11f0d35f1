{{- /* Labels of every object. Argument: (list $ "postgres"|"medusa"). */}}
{{- define "medusa-store.labels" -}}
{{- $root := index . 0 -}}
{{ include "medusa-store.podLabels" . }}
app.kubernetes.io/part-of: medusa-store
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- /* Labels of pods and volume claims: nothing that a newer chart changes, or every upgrade would replace the pods. */}}
{{- define "medusa-store.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "medusa-store.selector" . }}
{{- with $root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "medusa-store.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{- /* What all pods have in common. Argument: $. */}}
{{- define "medusa-store.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* The Pod Security Standard "restricted". Argument: the user's id, which is the group's too. */}}
{{- define "medusa-store.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "medusa-store.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{- /* Where a pod may run. Argument: .Values.medusa or .Values.postgresql. */}}
{{- define "medusa-store.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "medusa-store.image" -}}
{{ .Values.medusa.image.repository }}:{{ .Values.medusa.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "medusa-store.host" -}}
{{ .Values.ingress.host | default (urlParse .Values.store.url).hostname }}
{{- end }}

{{- /* Not empty where more than one pod serves for longer than a rollout. */}}
{{- define "medusa-store.several" -}}
{{- if or .Values.medusa.autoscaling.enabled (gt (int .Values.medusa.replicas) 1) }}yes{{ end -}}
{{- end }}
