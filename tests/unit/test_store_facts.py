"""What a store's page says of a failure: to its owner in everyday words, to an administrator with what to type."""

from datetime import UTC, datetime

import pytest

from app.inside_views import PartsView
from app.pages.store_facts import facts, failure, sources, split_hint
from app.store_views import ReasonView, StoreView
from app.texts.failures import FAILURE, FAILURE_PLAIN, WAITING
from provisioning.failures import ADMIN, OWNER
from provisioning.failures.causes import CAUSES, USUAL
from provisioning.states import State

COMMAND = "kubectl --namespace store-shop describe pod medusa-x"


def store(who: str, hint: str, state: State = State.FAILED) -> StoreView:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    facts = dict.fromkeys(("id", "owner", "template", "version", "plan"), "")
    nothing = dict.fromkeys(
        ("health", "ready_at", "queue_position", "destroy_at", "eta_seconds", "upgrade", "rollback")
    )
    reason = ReasonView(code="image_pull", message="It broke", evidence=["pod/x said no"], who=who, hint=hint)
    more = {"name": "shop", "url": "http://shop", "state": state, "revision": 1, "created_at": at}
    return StoreView(**facts, **nothing, **more, reason=reason)


@pytest.mark.parametrize("code", sorted({cause.code for cause in CAUSES}))
def test_every_cause_is_told_in_everyday_words(code: str):
    plain = FAILURE_PLAIN[code]
    assert plain.endswith(".")
    for jargon in ("kubectl", "namespace", "pod", "ingress", "PVC"):
        assert jargon not in plain


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: f"{cause.code}: {cause.when}")
def test_the_command_of_a_hint_stands_by_itself(cause):
    sentence, command = split_hint(cause.hint)
    assert sentence.endswith((".", ")"))
    assert "kubectl" not in sentence.replace("usable Helm", "")
    assert not command or command.startswith(("kubectl ", "helm ", "curl ", "openssl "))


def test_an_administrator_gets_the_command_and_an_owner_whom_to_ask():
    it = store(ADMIN, f"See what the node says: {COMMAND}")
    admin, owner = failure(it, admin=True), failure(it, admin=False)
    assert admin is not None
    assert owner is not None
    assert (admin["hint"], admin["command"], admin["technical"]) == ("See what the node says.", COMMAND, True)
    assert "kubectl" not in str({**owner, "report": ""})
    assert "administrator" in owner["hint"]
    assert owner["plain"] == admin["plain"] == FAILURE_PLAIN["image_pull"]
    assert all(each in owner["report"] for each in ("shop", "It broke", "image_pull", "pod/x said no"))


def test_what_an_owner_can_mend_is_told_to_the_owner():
    it = failure(store(OWNER, "Choose a larger plan, then retry."), admin=False)
    assert it is not None
    assert it["hint"] == "Choose a larger plan, then retry."


def test_what_goes_on_by_itself_is_not_to_be_retried():
    it = failure(store(ADMIN, "Wait.", State.PROVISIONING), admin=False)
    assert it is not None
    assert it["passing"]
    assert it["hint"] == FAILURE["ask_admin_passing"]


def test_what_many_a_start_waits_for_is_no_warning_until_it_lasts():
    assert set(WAITING) == USUAL
    late = datetime(2026, 1, 2, 0, 1, tzinfo=UTC)
    it = store(ADMIN, "Wait.", State.PROVISIONING)

    def calm_until(code: str, state: State = State.PROVISIONING) -> object:
        reason = it.reason.model_copy(update={"code": code}) if it.reason else None
        changed = it.model_copy(update={"reason": reason, "state": state})
        shown = failure(changed, admin=True, late_at=late)
        assert shown is not None
        expected = WAITING[code] if shown["calm_until"] else ""
        assert facts(changed, [])["note"] == expected
        return shown["calm_until"]

    assert calm_until("database_unreachable") == late.isoformat()
    assert calm_until("image_pull") is None
    assert calm_until("database_unreachable", State.READY) is None
    assert calm_until("database_unreachable", State.FAILED) is None


def view(**pods: list[str]) -> PartsView:
    """`pods`: of each part, the newest first."""
    at = datetime(2026, 1, 2, tzinfo=UTC)

    def pod(name: str, part: str) -> dict[str, object]:
        container = {"name": part, "image": "", "ready": True, "state": "running", "since": at, "restarts": 0}
        return {"name": name, "ready": True, "leaving": False, "since": at, "containers": [{**container, "had_run": 0}]}

    known = {"health": "ok", "note": "", "detail": "", "since": at, "image": "", "restarts": 0}
    items = [{**known, "key": key, "pods": [pod(each, key) for each in names]} for key, names in pods.items()]
    return PartsView.model_validate({"cluster": "connected", "items": items, "warnings": []})


def test_the_log_that_somebody_reads_stays_the_same_while_pods_come_and_go():
    def shown(**pods: list[str]) -> list[tuple[str, str, str]]:
        return [(each["part"], each["pod"], each["container"]) for each in sources(view(**pods))]

    stays = [("medusa", "", "medusa"), ("postgres", "", "postgres")]
    assert shown(postgres=["postgres-0"], medusa=["medusa-a"]) == stays
    assert shown(postgres=["postgres-0"], medusa=[]) == stays
    assert shown(postgres=["postgres-0"], medusa=["medusa-b", "medusa-a"]) == [
        stays[0],
        ("medusa", "medusa-b", "medusa"),
        ("medusa", "medusa-a", "medusa"),
        stays[1],
    ]
    assert shown(medusa=["medusa-a"]) == stays[:1]  # a database of somebody else's
