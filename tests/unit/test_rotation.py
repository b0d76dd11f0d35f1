"""The order in which secrets are replaced: what each look leads to, and that nothing is given up too early."""

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest

from provisioning import rotation
from provisioning.rotation import GENERATION, Held, Part, Stage, renewed, scram, scrypt, stage
from provisioning.secrets import generate
from tests.unit.cluster_objects import obj, pod

READY, NOT_READY = ({"type": "Ready", "status": status} for status in ("True", "False"))
SECOND = Held(generation=2, login="medusa_2", granted_on="claim", former_login="medusa")


def database(ready=True, uid="claim"):
    claim = obj("PersistentVolumeClaim", "data-postgres-0", part="postgres")
    claim["metadata"]["uid"] = uid
    server = pod("postgres-0", "postgres", conditions=(READY if ready else NOT_READY,), phase="Running")
    return [obj("StatefulSet", "postgres", part="postgres"), claim, server]


def shop(*pods, template=1):
    marks = {GENERATION: str(template)} if template > 1 else {}
    deployment = obj("Deployment", "medusa", part="medusa", spec={"template": {"metadata": {"annotations": marks}}})
    return [deployment, *pods]


def shop_pod(generation=1, *, ready=True, leaving=False):
    found = pod(f"medusa-{generation}", "medusa", conditions=(READY if ready else NOT_READY,), phase="Running")
    if generation > 1:
        found["metadata"]["annotations"] = {GENERATION: str(generation)}
    if leaving:
        found["metadata"]["deletionTimestamp"] = "2026-01-02T12:00:05Z"
    return found


@pytest.mark.parametrize(
    ("held", "objects", "leads_to"),
    [
        (Held(), [*database(), *shop(shop_pod())], Stage.SETTLED),
        (Held(asked=True), [*database(), *shop(shop_pod())], Stage.PREPARE),
        (Held(asked=True), [*database(ready=False), *shop(shop_pod())], Stage.WAIT),
        (Held(asked=True), shop(shop_pod()), Stage.PREPARE),  # a database of somebody else's
        (SECOND, [*database(), *shop(shop_pod())], Stage.RESTART),
        (SECOND, [*database(), *shop(shop_pod(), template=2)], Stage.WAIT),
        (SECOND, [*database(), *shop(shop_pod(), shop_pod(2, ready=False), template=2)], Stage.WAIT),
        (SECOND, [*database(), *shop(shop_pod(), shop_pod(2), template=2)], Stage.WAIT),
        (SECOND, [*database(), *shop(shop_pod(leaving=True), shop_pod(2), template=2)], Stage.WAIT),
        (SECOND, [*database(), *shop(shop_pod(2, ready=False), template=2)], Stage.WAIT),
        (SECOND, [*database(), *shop(shop_pod(2), template=2)], Stage.RETIRE),
        (SECOND, database(), Stage.WAIT),
        (replace(SECOND, former_login=None), [*database(), *shop(shop_pod(2), template=2)], Stage.SETTLED),
        (replace(SECOND, former_login=None), [*database(), *shop(shop_pod())], Stage.SETTLED),  # made anew since
        (replace(SECOND, former_login=""), [*database(), *shop(shop_pod())], Stage.RESTART),  # the same login
        (SECOND, [*database(uid="another"), *shop(shop_pod(2), template=2)], Stage.MAKE_LOGIN),
        (SECOND, [*database(uid="another", ready=False), *shop()], Stage.NO_LOGIN),
    ],
)
def test_what_a_look_leads_to(held, objects, leads_to):
    assert stage(held, objects) is leads_to


@pytest.mark.parametrize(
    ("parts", "changed"),
    [
        (list(Part), {"database-password", "database-user", "jwt-secret", "cookie-secret", "admin-password"}),
        ([Part.DATABASE], {"database-password", "database-user"}),
        ([Part.SESSIONS], {"jwt-secret", "cookie-secret"}),
        ([Part.ADMIN], {"admin-password"}),
    ],
)
def test_what_is_new(parts, changed):
    old = generate("ann@example.com")
    new = renewed(old, parts, 2)
    assert {key for key in new if new[key] != old[key]} == changed
    assert new["admin-email"] == "ann@example.com"
    assert new["database-user"] == ("medusa_2" if "database-user" in changed else "medusa")


def test_no_secret_is_told_the_database():
    values = renewed(generate("o'hara@example.com"), list(Part), 2)
    said = rotation.script(rotation.make_login(values), rotation.set_admin_password(values))
    for key in ("database-password", "jwt-secret", "cookie-secret", "admin-password"):
        assert values[key] not in said
    assert "'o''hara@example.com'" in said


def test_the_check_of_a_password_is_the_one_of_the_specification():
    """RFC 7677's example: what the server keeps proves what it answers there."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    rounds, keys = scram("pencil", salt).removeprefix("SCRAM-SHA-256$").split("$")
    assert rounds == "4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    said = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
        "i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    server = base64.b64decode(keys.split(":")[1])
    assert (
        base64.b64encode(hmac.digest(server, said.encode(), "sha256"))
        == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    )


def test_what_medusa_keeps_of_a_password_checks_it():
    kept = base64.b64decode(scrypt("correct horse", b"s" * 32))
    assert (kept[:6], kept[6], kept[7], kept[8:16], kept[16:48]) == (
        b"scrypt",
        0,
        15,
        bytes([0, 0, 0, 8, 0, 0, 0, 1]),
        b"s" * 32,
    )
    assert kept[48:64] == hashlib.sha256(kept[:48]).digest()[:16]
    key = hashlib.scrypt(b"correct horse", salt=b"s" * 32, n=2**15, r=8, p=1, maxmem=2**26, dklen=64)
    assert kept[64:] == hmac.digest(key[32:], kept[:64], "sha256")
