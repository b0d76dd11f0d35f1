"""One container's way: its image is pulled, it starts, becomes ready, perhaps ends, crashes and starts again."""

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from provisioning.sandbox.behaviour import Behaviour, behaviour_of, is_known, is_malformed
from provisioning.sandbox.controllers.storage import claims_of
from provisioning.sandbox.faults import CrashFault
from provisioning.sandbox.logins import Logins
from provisioning.sandbox.objects import Obj, is_true, labels_of, name_of, namespace_of, parse_time, timestamp

if TYPE_CHECKING:
    from provisioning.sandbox.kubelet import Kubelet

_PULL_FAILS_AFTER = 0.4  # seconds
_LONGEST_BACKOFF = 300.0
_REPEATED = 20  # times that a kubelet reports the same before it keeps quiet
_FILLED_BY = "sandbox.storefleet.dev/filled-by-"  # on what keeps a database: who filled it already


class Containers:
    """Changes a pod's status in place; the kubelet writes it."""

    def __init__(self, kubelet: "Kubelet") -> None:
        self._kubelet, self._store, self._logs, self._faults = kubelet, kubelet.store, kubelet.logs, kubelet.faults
        self._logins = Logins(kubelet.registry)
        self._signed_in: dict[tuple[str, str], tuple[str, str]] = {}  # by pod and container: as whom, by what password
        self._pulled: set[str] = set()
        for pod in self._store.objects("Pod"):
            for status in (pod.get("status") or {}).get("containerStatuses") or []:
                if status.get("imageID"):
                    self._pulled.add(status["image"])
                    self._remember_log(pod, status)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._signed_in if key[0] == uid]:
            del self._signed_in[key]

    def mount_problem(self, pod: Obj) -> str:
        """Why the pod's volumes cannot be mounted; "" if they can."""
        for volume in pod["spec"].get("volumes") or []:
            for source, kind, key in (("secret", "Secret", "secretName"), ("configMap", "ConfigMap", "name")):
                wanted = volume.get(source) or {}
                name = wanted.get(key, "")
                if wanted and not wanted.get("optional") and not self._store.find(kind, namespace_of(pod), name):
                    missing = f'{kind.lower()} "{name}" not found'
                    return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {missing}'
        return ""

    def advance(self, pod: Obj, status: Obj) -> None:
        """Do what is due: init containers one after the other, then the others side by side."""
        inits = {item["name"]: item for item in status.get("initContainerStatuses") or []}
        for container in pod["spec"].get("initContainers") or []:
            state = inits[container["name"]]
            self._advance(pod, container, state, ends=True)
            state["ready"] = state["state"].get("terminated", {}).get("exitCode") == 0
            if not state["ready"]:
                return
        mains = {item["name"]: item for item in status["containerStatuses"]}
        for container in pod["spec"]["containers"]:
            self._advance(pod, container, mains[container["name"]], ends=pod["spec"]["restartPolicy"] != "Always")

    def _advance(self, pod: Obj, container: Obj, state: Obj, ends: bool) -> None:
        if "terminated" in state["state"]:
            self._after_end(pod, container, state, ends)
        if "waiting" in state["state"]:
            if self._backing_off(pod, container, state):
                return
            if self._pull(pod, container, state) and self._configured(pod, container, state):
                self._start(pod, container, state)
        if "running" in state["state"]:
            self._run(pod, container, state, ends)

    # --- before it runs

    def _pull(self, pod: Obj, container: Obj, state: Obj) -> bool:
        image, name = container["image"], container["name"]
        if is_malformed(image):
            why = f'couldn\'t parse image name "{image}": invalid reference format: repository name must be lowercase'
            problem = f'Failed to apply default image tag "{image}": {why}'
            state["state"] = {"waiting": {"reason": "InvalidImageName", "message": problem}}
            self._report(pod, "Warning", "InspectFailed", problem, name)
            return False
        fault = self._faults.image(image, namespace_of(pod))
        moment = f"{name} pull"
        if fault is None and is_known(image):
            if image in self._pulled and container["imagePullPolicy"] != "Always":
                if not state.get("imageID"):
                    self._report(pod, "Normal", "Pulled", f'Container image "{image}" already present on machine', name)
            else:
                if not self._asked(pod, moment):
                    self._report(pod, "Normal", "Pulling", f'Pulling image "{image}"', name)
                seconds = behaviour_of(image).pull
                if not self._kubelet.due(pod, moment, seconds):
                    return False
                took = f"{seconds:g}s ({seconds:g}s including waiting)"
                message = f'Successfully pulled image "{image}" in {took}. Image size: 100000000 bytes.'
                self._report(pod, "Normal", "Pulled", message, name)
                self._pulled.add(image)
                self._kubelet.moments.forget(pod, moment)
            state["imageID"] = f"{image.partition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"
            return True
        if not self._asked(pod, moment):
            self._report(pod, "Normal", "Pulling", f'Pulling image "{image}"', name)
        if self._kubelet.due(pod, moment, _PULL_FAILS_AFTER):
            why = fault.message if fault else "not found"
            resolve = (
                f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: {why}'
            )
            problem = f"rpc error: code = NotFound desc = {resolve}"
            self._report(pod, "Warning", "Failed", f'Failed to pull image "{image}": {problem}', name)
            self._report(pod, "Warning", "Failed", "Error: ErrImagePull", name)
            state["state"] = {"waiting": {"reason": "ErrImagePull", "message": problem}}
            self._kubelet.moments.forget(pod, moment)
        return False

    def _backing_off(self, pod: Obj, container: Obj, state: Obj) -> bool:
        """Whether a failure's waiting time still runs.  ErrImagePull becomes ImagePullBackOff on the way."""
        waiting, name = state["state"]["waiting"], container["name"]
        reason, image = waiting.get("reason", ""), container["image"]
        tries = f"{name} tries"
        if f"{name} pull" in self._kubelet.moments.of(pod):  # the next try is under way
            return False
        if reason == "ErrImagePull":
            if self._kubelet.due(pod, f"{name} backoff begins", 0.3):
                self._kubelet.moments.forget(pod, f"{name} backoff begins")
                self._report(pod, "Normal", "BackOff", f'Back-off pulling image "{image}"', name)
                self._report(pod, "Warning", "Failed", "Error: ImagePullBackOff", name)
                message = f'Back-off pulling image "{image}": ErrImagePull: {waiting.get("message", "")}'
                state["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
                self._kubelet.due(pod, f"{tries}{self._count(pod, tries)}", 0)
                self._kubelet.due(pod, f"{name} backoff", _backoff(self._count(pod, tries)))
            return True
        if reason == "ImagePullBackOff":
            if not self._kubelet.due(pod, f"{name} backoff", _backoff(1)):
                return True
            self._kubelet.moments.forget(pod, f"{name} backoff")
        elif reason == "CrashLoopBackOff":
            if not self._kubelet.due(pod, f"{name} restart {state['restartCount']}", _backoff(state["restartCount"])):
                return True
            state["restartCount"] += 1
        return False

    def _configured(self, pod: Obj, container: Obj, state: Obj) -> bool:
        problem = self._configuration_problem(pod, container)
        if problem:
            state["state"] = {"waiting": {"reason": "CreateContainerConfigError", "message": problem}}
            self._report(pod, "Warning", "Failed", f"Error: {problem}", container["name"])
        return not problem

    def _configuration_problem(self, pod: Obj, container: Obj) -> str:
        space = namespace_of(pod)
        for env in container.get("env") or []:
            for source, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                wanted = (env.get("valueFrom") or {}).get(source)
                if not wanted or wanted.get("optional"):
                    continue
                found = self._store.find(kind, space, wanted["name"])
                if found is None:
                    return f'{kind.lower()} "{wanted["name"]}" not found'
                if wanted["key"] not in (found.get("data") or {}):
                    return f"couldn't find key {wanted['key']} in {kind} {space}/{wanted['name']}"
        for env in container.get("envFrom") or []:
            for source, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                wanted = env.get(source)
                if wanted and not wanted.get("optional") and self._store.find(kind, space, wanted["name"]) is None:
                    return f'{kind.lower()} "{wanted["name"]}" not found'
        return ""

    def _start(self, pod: Obj, container: Obj, state: Obj) -> None:
        name, uid = container["name"], pod["metadata"]["uid"]
        self._kubelet.moments.forget(pod, f"{name} ")
        self._report(pod, "Normal", "Created", f"Created container: {name}", name)
        self._report(pod, "Normal", "Started", f"Started container {name}", name)
        state["state"] = {"running": {"startedAt": timestamp()}}
        digest = hashlib.sha256(f"{uid}{name}{state['restartCount']}".encode()).hexdigest()
        state["containerID"] = f"sandbox://{digest}"
        state["started"] = not container.get("startupProbe")
        state["ready"] = not container.get("startupProbe") and not container.get("readinessProbe")
        self._logs.start(uid, name)
        self._signed_in[uid, name] = self._logins.credentials(pod, container)
        if self._faults.crash(name, namespace_of(pod)) is None:
            for line in behaviour_of(container["image"]).at_once:
                self._logs.write(uid, name, line)

    # --- while it runs

    def _run(self, pod: Obj, container: Obj, state: Obj, ends: bool) -> None:
        name, behaviour = container["name"], behaviour_of(container["image"])
        crash = self._faults.crash(name, namespace_of(pod))
        run = f"{name} run {state['restartCount']}"
        if crash is not None:
            if self._kubelet.due(pod, f"{run} crash", crash.after):
                self._crash(pod, container, state, crash)
            return
        if ends:
            if self._kubelet.due(pod, f"{run} end", behaviour.run):
                self._end(pod, state, "Completed", 0)
            return
        unready = self._faults.unready(name, namespace_of(pod))
        served = self._served(pod, container, behaviour)
        if served and not self._signs_in(pod, container, behaviour):
            if not state["ready"]:
                self._refuse(pod, container, state)
                return
            served = False  # it runs, and its database does not let it in any more
        prepared = state["ready"] or self._prepared(pod, container, run, behaviour)
        if unready is not None:
            self._fail_probe(pod, container, state, unready.message)
        elif not served and state["ready"]:
            self._fail_probe(pod, container, state, "HTTP probe failed with statuscode: 503")
        elif prepared and served:
            state["started"] = state["ready"] = True

    def _fail_probe(self, pod: Obj, container: Obj, state: Obj, answer: str) -> None:
        """The probe that is at work says so at each of its turns; the kubelet stops repeating itself after a while."""
        kind = "readiness" if state.get("started") else "startup"
        period = (container.get(f"{kind}Probe") or {}).get("periodSeconds", 10)
        state["ready"] = False
        turn = f"{container['name']} {kind} probe "
        number = self._count(pod, turn)
        if number == 0 or (number < _REPEATED and self._kubelet.due(pod, f"{turn}{number - 1}", period)):
            self._kubelet.due(pod, f"{turn}{number}", period)
            self._report(pod, "Warning", "Unhealthy", f"{kind.title()} probe failed: {answer}", container["name"])

    def _prepared(self, pod: Obj, container: Obj, run: str, behaviour: Behaviour) -> bool:
        """Whether the container has come through the steps of its start; each prints its line when it is due."""
        if not self._served(pod, container, behaviour):
            return False
        uid, name = pod["metadata"]["uid"], container["name"]
        backing = self._backing(pod, container, behaviour)
        skipping, mark = f"{run} filled", _FILLED_BY + name
        if f"{run} step 0" not in self._kubelet.moments.of(pod) and mark in (
            backing["metadata"].get("annotations") or {}
        ):
            self._kubelet.due(pod, skipping, 0)
        for number, step in enumerate(behaviour.steps):
            if step.first_time_only and skipping in self._kubelet.moments.of(pod):
                self._kubelet.due(pod, f"{run} step {number}", 0)
                continue
            if not self._kubelet.due(pod, f"{run} step {number}", step.after):
                return False
            if step.line and f"{run} said {number}" not in self._kubelet.moments.of(pod):
                self._kubelet.due(pod, f"{run} said {number}", 0)
                self._logs.write(uid, name, step.line)
                if step.first_time_only:
                    self._kubelet.registry.modify(
                        backing, lambda item: item["metadata"].setdefault("annotations", {}).update({mark: "true"})
                    )
                    if not behaviour.waits_for:
                        self._logins.begin(pod, container, backing)
        return True

    def _served(self, pod: Obj, container: Obj, behaviour: Behaviour) -> bool:
        """Whether the Service it needs has a ready pod; a host outside the namespace is believed to be there."""
        if not behaviour.waits_for:
            return True
        host = next(
            (env.get("value", "") for env in container.get("env") or [] if env["name"] == behaviour.waits_for), ""
        )
        if not host or "." in host:
            return True
        return any(is_true(item, "Ready") for item in self._behind(host, namespace_of(pod)))

    def _signs_in(self, pod: Obj, container: Obj, behaviour: Behaviour) -> bool:
        """Whether the database takes the password that the container started with."""
        known = self._signed_in.get((pod["metadata"]["uid"], container["name"]))
        if not behaviour.waits_for or known is None:  # after a restart of the sandbox nobody knows
            return True
        return self._logins.accepts(self._backing(pod, container, behaviour), *known)

    def _refuse(self, pod: Obj, container: Obj, state: Obj) -> None:
        """What the shop does when its database refuses it: it says so and ends."""
        uid, name = pod["metadata"]["uid"], container["name"]
        user = self._signed_in[uid, name][0]
        said = f'storefleet: failed: database: password authentication failed for user "{user}"'
        self._logs.write(uid, name, said)
        self._end(pod, state, "Error", 1)
        self._kubelet.due(pod, f"{name} after end {state['restartCount']}", 0.2)

    def _behind(self, service: str, namespace: str) -> list[Obj]:
        found = self._store.find("Service", namespace, service)
        selector = ((found or {}).get("spec") or {}).get("selector") or {}
        if not selector:
            return []
        pods = self._store.objects("Pod", namespace)
        return [pod for pod in pods if selector.items() <= labels_of(pod).items()]

    def _backing(self, pod: Obj, container: Obj, behaviour: Behaviour) -> Obj:
        """What keeps the data of the container, or of the database that it uses: a claim, else a pod.

        A mark is set on it once there is something in it, so that a second start is one on a filled database.
        """
        host = next(
            (env.get("value", "") for env in container.get("env") or [] if env["name"] == behaviour.waits_for), ""
        )
        keepers = self._behind(host, namespace_of(pod)) if behaviour.waits_for and host else [pod]
        keeper = keepers[0] if keepers else pod
        for name in claims_of(keeper):
            claim = self._store.find("PersistentVolumeClaim", namespace_of(pod), name)
            if claim is not None:
                return claim
        return keeper

    # --- when it ends

    def _crash(self, pod: Obj, container: Obj, state: Obj, fault: CrashFault) -> None:
        uid, name = pod["metadata"]["uid"], container["name"]
        for line in fault.log:
            self._logs.write(uid, name, line)
        if fault.out_of_memory:
            self._end(pod, state, "OOMKilled", 137)
        else:
            self._end(pod, state, "Error" if fault.exit_code else "Completed", fault.exit_code)
        self._faults.use_crash(fault)
        self._kubelet.due(pod, f"{name} after end {state['restartCount']}", 0.2)

    def _end(self, pod: Obj, state: Obj, reason: str, code: int) -> None:
        self._logs.end(pod["metadata"]["uid"], state["name"])
        end = {
            "exitCode": code,
            "reason": reason,
            "startedAt": state["state"]["running"]["startedAt"],
            "finishedAt": timestamp(),
            "containerID": state.get("containerID", ""),
        }
        containers = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        spec: Obj = next((each for each in containers if each["name"] == state["name"]), {})
        if code and spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            end["message"] = self._logs.tail(pod["metadata"]["uid"], state["name"])
        state.update(state={"terminated": end}, ready=False, started=False)

    def _after_end(self, pod: Obj, container: Obj, state: Obj, ends: bool) -> None:
        """Start again, at once the first time, later after longer and longer waits; or stay ended."""
        end, name = state["state"]["terminated"], container["name"]
        if (ends and not end["exitCode"]) or pod["spec"]["restartPolicy"] == "Never":
            return
        if not self._kubelet.due(pod, f"{name} after end {state['restartCount']}", 0.2):
            return
        state["lastState"] = {"terminated": end}
        if state["restartCount"] == 0:
            state["restartCount"] = 1
            state["state"] = {"waiting": {"reason": "ContainerCreating"}}
            return
        wait = _backoff(state["restartCount"])
        where = f"{name_of(pod)}_{namespace_of(pod)}({pod['metadata']['uid']})"
        message = f"back-off {_span(wait)} restarting failed container={name} pod={where}"
        state["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self._report(pod, "Warning", "BackOff", f"Back-off restarting failed container {name} in pod {where}", name)

    def _asked(self, pod: Obj, moment: str) -> bool:
        return moment in self._kubelet.moments.of(pod)

    def _count(self, pod: Obj, prefix: str) -> int:
        return sum(moment.startswith(prefix) for moment in self._kubelet.moments.of(pod))

    def _report(self, pod: Obj, type_: str, reason: str, message: str, container: str) -> None:
        self._kubelet.report(pod, type_, reason, message, container)

    def _remember_log(self, pod: Obj, state: Obj) -> None:
        """After a restart of the sandbox: what a container that is ready must have printed."""
        started = (state["state"].get("running") or {}).get("startedAt")
        if not started or not state["ready"]:
            return
        at, speed = parse_time(started), self._kubelet.control.queue.speed
        for line in behaviour_of(state["image"]).at_once:
            self._logs.write(pod["metadata"]["uid"], state["name"], line, at)
        for step in behaviour_of(state["image"]).steps:
            at += timedelta(seconds=step.after / speed)
            if step.line:
                self._logs.write(pod["metadata"]["uid"], state["name"], step.line, at)


def _backoff(tries: int) -> float:
    doubled: float = 10.0 * 2.0 ** (max(1, tries) - 1)
    return min(doubled, _LONGEST_BACKOFF)


def _span(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60}s"
