"""New secrets for a shop that runs, in an order that never locks it out.  Pure; `reconcile` carries it out.

A PostgreSQL role has one password, so a password that is changed under a running shop shuts it out until it has been
restarted.  Hence the database gets a second login, with the new password, that acts as the owner (`medusa`) from its
first moment on; both open it until no pod uses the old one any more.

    asked for     the new values lie sealed beside those in force
    PREPARE       the database makes the new login and takes the administrator's new password; the new values are those
                  in force from here on, and the Secret has them
    RESTART       the shop is rolled out, the old pod serving until the new one does
    WAIT          for the last pod with the old values to go
    RETIRE        the old login is closed, and who still uses it is cut off

Each step looks at what is there, and may be cut off anywhere and done again.  What is sealed never lacks a value that
opens something.  A database that came up anew, on an empty volume, does not know a login made later: MAKE_LOGIN.  The
same mends one that refuses the shop (its volume was begun while somebody had changed the Secret; a role was altered).

What Medusa keeps of a shop's sessions: sign-ins of customers and of the admin are signed with the JWT and cookie
secrets, of which it knows one each, so that new ones end all sign-ins (carts and orders stay).  Who wants to keep them
leaves `sessions` out; then sign-ins by token outlive the restart, the admin's only with a Redis.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from provisioning.cluster import Obj
from provisioning.failures import condition, of_kind
from provisioning.secrets import made

OWNER = "medusa"
"""The role that owns a shop's database, and its first login."""

GENERATION = "storefleet.dev/secrets-generation"
"""An annotation of the shop's pods: the generation of the secrets that they started with; without it, the first."""

DATABASE_POD, DATABASE_CLAIM, CONTAINER = "postgres-0", "data-postgres-0", "postgres"


class Part(StrEnum):
    """What can be rotated by itself."""

    DATABASE = "database"
    SESSIONS = "sessions"
    ADMIN = "admin"


KEYS: Mapping[Part, tuple[str, ...]] = {
    Part.DATABASE: ("database-password",),
    Part.SESSIONS: ("jwt-secret", "cookie-secret"),
    Part.ADMIN: ("admin-password",),
}


class Stage(StrEnum):
    """How far a rotation is; each but SETTLED, NO_LOGIN and WAIT names the next step."""

    SETTLED = "settled"
    NO_LOGIN = "no login"  # the database does not know it, and cannot be told yet
    MAKE_LOGIN = "make login"
    PREPARE = "prepare"
    RESTART = "restart"
    WAIT = "wait"
    RETIRE = "retire"


@dataclass(frozen=True)
class Held:
    """What the database of ours holds of a store's secrets, without the secrets."""

    generation: int = 1
    asked: bool = False  # new ones lie beside those in force
    login: str = OWNER  # to the shop's database, of those in force
    former_login: str | None = None  # of those before, as long as not all is done: "" where it is the same
    granted_on: str | None = None  # uid of the volume whose database was told of the login


def renewed(values: Mapping[str, str], parts: Collection[Part], generation: int) -> dict[str, str]:
    """`values` with new ones for `parts`, which become the secrets of `generation`."""
    fresh = made()
    new = {**values, **{key: fresh[key] for part in parts for key in KEYS[part]}}
    if Part.DATABASE in parts:
        new["database-user"] = f"{OWNER}_{generation}"
    return new


def login_of(values: Mapping[str, str]) -> str:
    return values.get("database-user", OWNER)


def stage(held: Held, objects: Sequence[Obj]) -> Stage:
    """How far a rotation is, by what is held and by the store's objects."""
    own, ready = _has_own_database(objects), _database_answers(objects)
    if own and held.login != OWNER and (volume := volume_of(objects)) and volume != held.granted_on:
        return Stage.MAKE_LOGIN if ready else Stage.NO_LOGIN
    if held.asked:
        return Stage.PREPARE if ready or not own else Stage.WAIT
    if held.former_login is None:
        return Stage.SETTLED
    shop = next((obj for obj in of_kind(objects, "Deployment") if obj["metadata"]["name"] == OWNER), None)
    if shop is None:
        return Stage.WAIT
    if _generation(shop["spec"]["template"]) != held.generation:
        return Stage.RESTART
    pods = [pod for pod in of_kind(objects, "Pod") if _label(pod) == "medusa" and _is_alive(pod)]
    old = [pod for pod in pods if _generation(pod) != held.generation]
    serving = any((condition(pod, "Ready") or {}).get("status") == "True" for pod in pods)
    return Stage.WAIT if old or not serving else Stage.RETIRE


def can_be_told(objects: Sequence[Obj]) -> bool:
    """Is there a database of the store's own that takes statements?"""
    return _has_own_database(objects) and _database_answers(objects)


def _has_own_database(objects: Sequence[Obj]) -> bool:
    return any(obj["metadata"]["name"] == "postgres" for obj in of_kind(objects, "StatefulSet"))


def _database_answers(objects: Sequence[Obj]) -> bool:
    pods = [pod for pod in of_kind(objects, "Pod") if pod["metadata"]["name"] == DATABASE_POD]
    return any((condition(pod, "Ready") or {}).get("status") == "True" for pod in pods)


def volume_of(objects: Sequence[Obj]) -> str:
    """The uid of what keeps the database: its claim, or, where it has none, its pod; "" where there is neither."""
    for kind, name in (("PersistentVolumeClaim", DATABASE_CLAIM), ("Pod", DATABASE_POD)):
        for obj in of_kind(objects, kind):
            if obj["metadata"]["name"] == name:
                return str(obj["metadata"]["uid"])
    return ""


def takes_login(objects: Sequence[Obj]) -> bool:
    """Does the shop take its database login from the Secret?  Releases from before there were rotations do not."""
    return all(
        "valueFrom" in variable
        for shop in of_kind(objects, "Deployment")
        for container in shop["spec"]["template"]["spec"]["containers"]
        for variable in container.get("env") or []
        if variable["name"] == "DATABASE_USER"
    )


def restarted(namespace: str, generation: int) -> Obj:
    """What makes the shop's pods anew, one after the other, when it is applied."""
    template = {"metadata": {"annotations": {GENERATION: str(generation)}}}
    metadata = {"name": OWNER, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}


def _generation(obj: Obj) -> int:
    said = ((obj.get("metadata") or {}).get("annotations") or {}).get(GENERATION, "")
    return int(said) if said.isdigit() else 1


def _label(obj: Obj) -> str:
    return str((obj["metadata"].get("labels") or {}).get("app.kubernetes.io/name", ""))


def _is_alive(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


# What the database is told, as superuser on its own socket; no secret is in it, only what checks one.

PSQL = (
    "psql",
    "--no-psqlrc",
    "--quiet",
    "--no-align",
    "--tuples-only",
    "--set=ON_ERROR_STOP=1",
    f"--username={OWNER}",
    f"--dbname={OWNER}",
)


def make_login(values: Mapping[str, str]) -> str:
    """The statements that make the login of `values`, or give it its password again."""
    login, verifier = login_of(values), scram(values["database-password"])
    if login == OWNER:
        return f"ALTER ROLE {OWNER} LOGIN PASSWORD '{verifier}';\n"
    return (
        f"DO $$BEGIN CREATE ROLE {login}; EXCEPTION WHEN duplicate_object THEN NULL; END$$;\n"
        f"GRANT {OWNER} TO {login};\n"
        f"ALTER ROLE {login} LOGIN PASSWORD '{verifier}';\n"
        f"ALTER ROLE {login} SET role TO {OWNER};\n"  # so that all that it makes is the owner's
    )


def set_admin_password(values: Mapping[str, str]) -> str:
    """The statement that gives the shop's administrator a new password; one who changed the address keeps the old one.

    Takes a tenth of a second of CPU.
    """
    email, kept = _text(values["admin-email"]), _text(scrypt(values["admin-password"]))
    new = f"jsonb_set(coalesce(provider_metadata, '{{}}'), '{{password}}', to_jsonb({kept}::text))"
    where = f"provider = 'emailpass' AND entity_id = {email}"
    return f"UPDATE provider_identity SET provider_metadata = {new}, updated_at = now() WHERE {where};\n"  # noqa: S608


def close_login(former: str) -> str:
    """The statements that close a login that no pod uses any more."""
    if former == OWNER:  # who owns the database stays
        return f"ALTER ROLE {OWNER} PASSWORD NULL;\n"
    close = f"ALTER ROLE {former} NOLOGIN PASSWORD NULL"
    return f"DO $$BEGIN {close}; EXCEPTION WHEN undefined_object THEN NULL; END$$;\n"


def cut_off(former: str) -> str:
    """The statements that end who is still in by a closed login (on the socket is only who is in the pod itself), and
    remove it, if nothing hangs on it."""
    still_in = f"FROM pg_stat_activity WHERE usename = '{former}' AND client_addr IS NOT NULL"
    statements = f"SELECT count(pg_terminate_backend(pid)) {still_in};\n"
    if former == OWNER:
        return statements
    gone = "EXCEPTION WHEN undefined_object OR dependent_objects_still_exist THEN NULL"
    return statements + f"DO $$BEGIN DROP ROLE {former}; {gone}; END$$;\n"


def script(*transactions: str) -> str:
    """For psql's input: each all of it or nothing, and an end (nobody closes the input)."""
    return "".join(f"BEGIN;\n{each}COMMIT;\n" for each in transactions) + "\\q\n"


def _text(value: str) -> str:
    """A literal; the server's strings take a backslash as it is."""
    return "'" + value.replace("\0", "").replace("'", "''") + "'"


def scram(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL keeps of a password, and checks it by (RFC 5803); `password` is plain ASCII."""
    salt, rounds = salt or secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def scrypt(password: str, salt: bytes | None = None) -> str:
    """What Medusa's e-mail sign-in keeps of a password (the format of Tarsnap's scrypt, base64)."""
    log_n, r, p = 15, 8, 1
    salt = salt or secrets.token_bytes(32)
    key = hashlib.scrypt(password.encode(), salt=salt, n=2**log_n, r=r, p=p, maxmem=2**26, dklen=64)
    head = b"scrypt\0" + bytes([log_n]) + r.to_bytes(4, "big") + p.to_bytes(4, "big") + salt
    checked = head + hashlib.sha256(head).digest()[:16]
    return base64.b64encode(checked + hmac.digest(key[32:], checked, "sha256")).decode()
