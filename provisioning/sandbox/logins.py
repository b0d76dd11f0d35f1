"""Who may sign in to a pretended PostgreSQL: its roles and what checks their passwords, kept with its volume.

Only what rotations of a store's secrets rest on: the first role with the password of its Secret, roles that are made,
closed and dropped, and that a password is refused which is not the role's.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from functools import lru_cache

from provisioning.sandbox.objects import Obj, namespace_of
from provisioning.sandbox.registry import Registry

_LOGINS = "sandbox.storefleet.dev/logins"  # JSON: what checks each role's password, null where it has none
_ROLE = re.compile(
    r"\b(?P<verb>CREATE|ALTER|DROP) ROLE (?P<role>\w+)"
    r"(?:(?: LOGIN| NOLOGIN)?(?: PASSWORD (?:'(?P<check>[^']*)'|NULL)))?",
    re.IGNORECASE,
)


class Logins:
    """Of all databases."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._store = registry, registry.store

    def begin(self, pod: Obj, container: Obj, volume: Obj) -> None:
        """What a server does with an empty volume: the owner's role, with the password that it was given."""
        variables = {env["name"]: env.get("value", "") for env in container.get("env") or []}
        password = self._file(pod, container, variables.get("POSTGRES_PASSWORD_FILE", ""))
        if password is not None:
            check = _check(password, secrets.token_bytes(16))
            self._save(volume, {variables.get("POSTGRES_USER") or "postgres": check})

    def run(self, volume: Obj, statements: str) -> None:
        """What psql does with the statements on roles; it does not look at others."""
        logins = self.of(volume) or {}
        for match in _ROLE.finditer(statements):
            role, verb = match["role"], match["verb"].upper()
            if verb == "DROP":
                logins.pop(role, None)
            elif verb == "CREATE" and role not in logins:
                logins[role] = None
            elif role in logins and "PASSWORD" in match[0].upper():
                logins[role] = match["check"]
        self._save(volume, logins)

    def of(self, volume: Obj) -> dict[str, str | None] | None:
        """None: nothing is known of it."""
        said = (volume["metadata"].get("annotations") or {}).get(_LOGINS)
        found: dict[str, str | None] | None = json.loads(said) if said else None
        return found

    def accepts(self, volume: Obj, user: str, password: str) -> bool:
        logins = self.of(volume)
        return logins is None or _fits(logins.get(user) or "", password)

    def credentials(self, pod: Obj, container: Obj) -> tuple[str, str]:
        """User and password that a container of this pod starts with."""
        found = {"DATABASE_USER": "medusa", "DATABASE_PASSWORD": ""}
        for env in container.get("env") or []:
            if env["name"] not in found:
                continue
            value = env.get("value")
            if reference := (env.get("valueFrom") or {}).get("secretKeyRef"):
                value = self._secret(namespace_of(pod), reference["name"], reference["key"])
            found[env["name"]] = value if value is not None else found[env["name"]]
        return found["DATABASE_USER"], found["DATABASE_PASSWORD"]

    def _file(self, pod: Obj, container: Obj, path: str) -> str | None:
        for mount in container.get("volumeMounts") or []:
            if path.startswith(mount["mountPath"] + "/"):
                for volume in pod["spec"].get("volumes") or []:
                    if volume["name"] == mount["name"] and "secret" in volume:
                        return self._secret(
                            namespace_of(pod),
                            volume["secret"]["secretName"],
                            path.removeprefix(mount["mountPath"] + "/"),
                        )
        return None

    def _secret(self, namespace: str, name: str, key: str) -> str | None:
        secret = self._store.find("Secret", namespace, name)
        data = ((secret or {}).get("data") or {}).get(key)
        return base64.b64decode(data).decode(errors="replace") if data is not None else None

    def _save(self, volume: Obj, logins: dict[str, str | None]) -> None:
        said = json.dumps(logins)
        self._registry.modify(
            volume, lambda item: item["metadata"].setdefault("annotations", {}).update({_LOGINS: said})
        )


def _check(password: str, salt: bytes, rounds: int = 4096) -> str:
    """What a server keeps of a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{text[0]}${text[1]}:{text[2]}"


@lru_cache(maxsize=1000)
def _fits(check: str, password: str) -> bool:
    match = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$.*", check)
    return match is not None and _check(password, base64.b64decode(match[2]), int(match[1])) == check
