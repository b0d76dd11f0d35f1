{{- /* Labels of every object. Argument: (list $ "storefleet"|"storefleet-postgres"|…). */}}
{{- define "platform.labels" -}}
{{- $root := index . 0 -}}
{{ include "platform.podLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- /* Labels of pods and volume claims: nothing that a newer chart changes, or every upgrade would replace the pods. */}}
{{- define "platform.podLabels" -}}
{{ include "platform.selector" . }}
app.kubernetes.io/part-of: storefleet
{{- end }}

{{- define "platform.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{- /* The name of what has no namespace. */}}
{{- define "platform.clusterName" -}}
storefleet-{{ .Release.Namespace }}
{{- end }}

{{- /* What all pods have in common. Argument: $. */}}
{{- define "platform.pod" -}}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The Pod Security Standard "restricted". Argument: the user's id, which is the group's too. */}}
{{- define "platform.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "platform.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{- define "platform.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "platform.host" -}}
{{ .Values.ingress.host | default (urlParse .Values.url).hostname }}
{{- end }}

{{- define "platform.secret" -}}
{{ .Values.secrets.existingSecret | default "storefleet" }}
{{- end }}

{{- /* Where the database is; a variable that refers to another comes after it. */}}
{{- define "platform.databaseEnv" -}}
{{- if eq .Values.database.kind "embedded" }}
- name: DATABASE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "platform.secret" . }}, key: database-password}}
- name: STOREFLEET_DATABASE_URL
  value: postgresql+psycopg://storefleet:$(DATABASE_PASSWORD)@storefleet-postgres/storefleet
{{- else if eq .Values.database.kind "external" }}
- name: STOREFLEET_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.database.external.existingSecret }}, key: {{ .Values.database.external.key }}}}
{{- end }}
{{- end }}

{{- /* A container that brings the database to this version's shape, once it answers. */}}
{{- define "platform.migrate" -}}
name: migrate
image: {{ include "platform.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [migrate, --wait, "300"]
terminationMessagePolicy: FallbackToLogsOnError
{{- with include "platform.databaseEnv" . | trim }}
env: {{- . | nindent 2 }}
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext: {{- include "platform.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
{{- end }}
