"""The API server's refusals, as the `Status` objects that clients expect, in Kubernetes' own words."""

from typing import Any

from provisioning.sandbox.objects import Obj
from provisioning.sandbox.resources import Resource


class ApiError(Exception):
    """A request that fails: HTTP status, machine-readable reason, and a sentence."""

    def __init__(self, code: int, reason: str, message: str, details: Obj | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def status(self) -> Obj:
        status: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


def success(resource: Resource, obj: Obj) -> Obj:
    """What a deletion answers when the object is gone at once."""
    details = {"name": obj["metadata"]["name"], "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _details(resource: Resource, name: str, kind: str | None = None, **more: Any) -> Obj:
    details: Obj = {"name": name, "kind": kind or resource.plural, **more}
    if resource.group:
        details["group"] = resource.group
    return details


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def forbidden(resource: Resource, name: str, why: str, causes: list[Obj] | None = None) -> ApiError:
    more: Obj = {"causes": causes} if causes else {}
    return ApiError(
        403, "Forbidden", f'{resource.qualified} "{name}" is forbidden: {why}', _details(resource, name, **more)
    )


def apply_conflict(conflicts: list[tuple[str, str]]) -> ApiError:
    """A server-side apply that meets other managers' fields: (manager as shown to people, field path) each."""
    if len(conflicts) == 1:
        message = f"Apply failed with 1 conflict: conflict with {conflicts[0][0]}: {conflicts[0][1]}"
    else:
        lines: list[str] = []
        for manager in sorted({manager for manager, _ in conflicts}):
            lines.append(f"conflicts with {manager}:")
            lines += [f"- {field}" for owner, field in conflicts if owner == manager]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": field}
        for manager, field in conflicts
    ]
    return ApiError(409, "Conflict", message, {"causes": causes})


class FieldProblem(Exception):
    """One field of an object that breaks a rule: its path, Kubernetes' word for the kind of problem, and the text."""

    def __init__(self, field: str, kind: str, text: str, reason: str) -> None:
        super().__init__(f"{field}: {kind}: {text}" if text else f"{field}: {kind}")
        self.field, self.reason = field, reason

    @classmethod
    def invalid(cls, field: str, value: Any, why: str) -> "FieldProblem":
        shown = f'"{value}"' if isinstance(value, str) else _go_value(value)
        return cls(field, "Invalid value", f"{shown}: {why}", "FieldValueInvalid")

    @classmethod
    def required(cls, field: str, why: str = "") -> "FieldProblem":
        return cls(field, "Required value", why, "FieldValueRequired")

    @classmethod
    def forbidden(cls, field: str, why: str) -> "FieldProblem":
        return cls(field, "Forbidden", why, "FieldValueForbidden")


def _go_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def invalid(resource: Resource, name: str, problems: list[FieldProblem]) -> ApiError:
    texts = [str(problem) for problem in problems]
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    causes = [
        {"reason": problem.reason, "message": str(problem).split(": ", 1)[1], "field": problem.field}
        for problem in problems
    ]
    details = _details(resource, name, kind=resource.kind, causes=causes)
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', details)


def expired(version: int, oldest: int) -> ApiError:
    """A place in history that is no longer kept: the client must list anew."""
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")
