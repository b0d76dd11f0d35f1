"""Jobs: a pod that runs to its end, again until it succeeds or the tries are used up."""

from collections.abc import Iterable

from provisioning.sandbox.control import Controller, Key
from provisioning.sandbox.controllers.replicas import is_active, new_pod, owned, owner_key
from provisioning.sandbox.objects import (
    Obj,
    clone,
    is_terminating,
    is_true,
    name_of,
    namespace_of,
    set_condition,
    timestamp,
)
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change


class Jobs(Controller):
    def concerns(self, change: Change) -> Iterable[Key]:
        obj = change.record.obj
        if change.resource.kind == "Job":
            return [(namespace_of(obj), name_of(obj))]
        return owner_key(obj, "Job") if change.resource.kind == "Pod" else ()

    def everything(self) -> Iterable[Key]:
        return self.all_of("Job")

    def sync(self, namespace: str, name: str) -> None:
        job = self.store.find("Job", namespace, name)
        if job is None or is_terminating(job) or job["spec"].get("suspend"):
            return
        if is_true(job, "Complete") or is_true(job, "Failed"):
            self._expire(job)
            return
        pods = owned(self.store.objects("Pod", namespace), job)
        active = [pod for pod in pods if is_active(pod)]
        succeeded = sum((pod.get("status") or {}).get("phase") == "Succeeded" for pod in pods)
        failed = sum((pod.get("status") or {}).get("phase") == "Failed" for pod in pods)
        spec, status = job["spec"], clone(job.get("status") or {})
        status.setdefault("startTime", timestamp())
        if succeeded >= spec["completions"]:
            self._finish(job, status, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        elif failed > spec["backoffLimit"]:
            message = "Job has reached the specified backoff limit"
            self._finish(job, status, "Failed", "BackoffLimitExceeded", message)
        else:
            wanted = min(spec["parallelism"], spec["completions"] - succeeded)
            for _ in range(wanted - len(active)):
                pod = new_pod(job, spec["template"], generateName=f"{name}-")
                active.append(self.registry.create(resource_of("Pod"), namespace, pod))
                self._report(job, "SuccessfulCreate", f"Created pod: {name_of(active[-1])}")
        for key, value in (("active", len(active)), ("succeeded", succeeded), ("failed", failed)):
            if value:
                status[key] = value
            else:
                status.pop(key, None)
        status["ready"] = sum(is_true(pod, "Ready") for pod in active)
        self.registry.set_status(job, status)

    def _finish(self, job: Obj, status: Obj, type_: str, reason: str, message: str) -> None:
        set_condition(status, "SuccessCriteriaMet" if type_ == "Complete" else "FailureTarget", True, reason, message)
        set_condition(status, type_, True, reason, message)
        if type_ == "Complete":
            status["completionTime"] = timestamp()
        self._report(job, "Completed" if type_ == "Complete" else reason, message)

    def _expire(self, job: Obj) -> None:
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return
        done = next(c for c in job["status"]["conditions"] if c["type"] in ("Complete", "Failed"))
        left = seconds - self.control.seconds_since(done["lastTransitionTime"])
        if left <= 0:
            options = {"propagationPolicy": "Background"}
            self.registry.delete(resource_of("Job"), namespace_of(job), name_of(job), options)
        else:
            self.control.queue.add_after(self, (namespace_of(job), name_of(job)), left + 0.1)

    def _report(self, job: Obj, reason: str, message: str) -> None:
        type_ = "Warning" if reason == "BackoffLimitExceeded" else "Normal"
        self.control.events.report(job, type_, reason, message, "job-controller")
