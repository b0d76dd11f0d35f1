"""What a store's page shows, as its components take it.  Pure: from views to dicts."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.inside_views import PartsView, UsageView
from app.pages.stores import due
from app.store_views import EventView, StoreView
from app.texts import store as texts
from app.texts.failures import FAILURE, FAILURE_PLAIN, WAITING
from app.texts.stores import STORES
from components.stepper import Mark, other_release, total
from provisioning import names
from provisioning.failures import ADMIN
from provisioning.failures.causes import USUAL
from provisioning.health import Health
from provisioning.plans import PLANS
from provisioning.states import State
from provisioning.templates import TEMPLATES

MOST_LINES = 1000  # of a timeline that a page is sent

_OBJECT = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.-]*(?= )")  # nothing that a shell would take for more
_COMMAND = re.compile(r"\s*[:.]?\s*((?:kubectl|helm|curl|openssl) (?:--|[a-z]).*)$", re.DOTALL)


def facts(store: StoreView, events: Sequence[EventView]) -> dict[str, Any]:
    """For the header and the lasting facts."""
    template = TEMPLATES[store.template].title if store.template in TEMPLATES else store.template
    note = ""
    if store.state is State.REQUESTED and store.queue_position:
        note = STORES["queue"].replace("{n}", str(store.queue_position))
    changes_release = store.state is not State.DELETING and other_release(marks(events)) is not None
    if store.state is State.FAILED and changes_release:
        note = texts.STORE["release_failed"]
    elif waits(store):
        note = WAITING[store.reason.code] if store.reason else ""
    return {
        "name": store.name,
        "state": store.state.value,
        "url": store.url,
        "open": store.state is State.READY or changes_release,  # the release before serves on
        "admin_url": f"{store.url}/app",
        "owner": store.owner,
        "version": f"{template} {store.version}" + (f", {_revision(store)}" if store.revision > 1 else ""),
        "rollback": store.rollback is not None,
        "plan": PLANS[store.plan].title if store.plan in PLANS else store.plan,
        "created_at": store.created_at.isoformat(),
        "note": note,
        "degraded": store.health is Health.DEGRADED,
        "destroy_at": store.destroy_at.isoformat() if store.destroy_at else None,
        "due": due(store),
        "took": total(marks(events)),
    }


def _revision(store: StoreView) -> str:
    return str(texts.STORE["revision"]).replace("{n}", str(store.revision))


def update(store: StoreView) -> str:
    """What there is to upgrade to, as a sentence; "" where there is nothing newer."""
    return _of_versions(texts.UPDATE, store.version, store.upgrade.version) if store.upgrade else ""


def upgrade(store: StoreView) -> dict[str, Any] | None:
    """The words that ask whether to upgrade; None where there is nothing newer."""
    return _asked(texts.UPGRADE, store, store.upgrade.version) if store.upgrade else None


def rollback(store: StoreView) -> dict[str, Any] | None:
    """The words that ask whether to roll back; None where there is no earlier release."""
    to = store.rollback
    return _asked(texts.ROLLBACK, store, to.version, n=str(to.revision)) if to else None


def _asked(words: dict[str, Any], store: StoreView, to: str, n: str = "") -> dict[str, Any]:
    first = _of_versions(words, store.version, to).replace("{n}", n)
    return {**words, "title": words["title"].replace("{name}", store.name), "points": [first, *words["points"]]}


def _of_versions(words: dict[str, Any], before: str, after: str) -> str:
    """A version that stays the same is no news."""
    sentence: str = words["same_version" if after in ("", before) else "to_version"]
    return sentence.replace("{from}", before).replace("{to}", after)


def marks(events: Sequence[EventView]) -> list[Mark]:
    return [Mark(event.kind, event.at) for event in events]


def culprit(store: StoreView) -> str:
    """The step that the reason of a failure speaks of: "Medusa pod failed to start" is about Medusa."""
    message = store.reason.message if store.reason else ""
    return next((key for key, title in texts.STORE["steps"].items() if message.startswith(title)), "")


def waits(store: StoreView) -> bool:
    """Whether the store has nothing but what many a start waits for: nothing is the matter, unless it lasts."""
    return store.state is State.PROVISIONING and store.reason is not None and store.reason.code in USUAL


def failure(store: StoreView, *, admin: bool, late_at: datetime | None = None) -> dict[str, Any] | None:
    """What is the matter with the store, for its owner in everyday words, for an administrator with what to type.

    `late_at`: when the step that goes on has lasted too long for a start that goes well.
    """
    reason = store.reason
    if reason is None:
        return None
    passing = store.state is not State.FAILED
    hint, command = split_hint(reason.hint)
    command = command or _describe(store.name, reason.evidence)
    if not admin and reason.who == ADMIN:  # it is not theirs to try
        hint, command = FAILURE["ask_admin_passing" if passing else "ask_admin"], ""
    words = FAILURE["report"]
    report = [
        f"{words['store']}: {store.name} ({store.url})",
        f"{words['state']}: {store.state.value}",
        f"{words['problem']}: {reason.message}",
        f"{words['code']}: {reason.code}",
        f"{words['who']}: {reason.who}",
        *reason.evidence,
    ]
    return {
        "message": reason.message,
        "plain": FAILURE_PLAIN.get(reason.code, ""),
        "who": reason.who,
        "hint": hint,
        "command": command if admin else "",
        "evidence": reason.evidence,
        "technical": admin,
        "report": "\n".join(report),
        "rollback": store.rollback is not None and not passing,
        "passing": passing,
        "calm_until": late_at.isoformat() if late_at and waits(store) else None,
    }


def split_hint(hint: str) -> tuple[str, str]:
    """(the sentence, the command at its end): "See what it says: kubectl …" holds both."""
    found = _COMMAND.search(hint)
    if found is None:
        return hint, ""
    sentence = hint[: found.start()]
    return sentence + ("." if sentence and sentence[-1] not in ".!?" else ""), found[1]


def _describe(name: str, evidence: Sequence[str]) -> str:
    """The command that tells more of the first object that is cited ("pod/postgres-0 Failed: …"); "" where none is."""
    cited = next((found[0] for each in evidence if (found := _OBJECT.match(each))), "")
    return f"kubectl --namespace {names.namespace(name)} describe {cited}" if cited else ""


def line(event: EventView) -> dict[str, Any]:
    return event.model_dump(mode="json")


def parts(view: PartsView) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json") for part in view.items]


def sources(view: PartsView) -> list[dict[str, Any]]:
    """The logs that there are: of each part's newest pod, whichever that is, and of several pods of each.

    The first of these stay the same while pods come and go, so that what somebody reads goes on.
    """
    pods = {part.key: part.pods for part in view.items}
    found = []
    for key in (key for key in ("medusa", "postgres") if key in pods):
        title = texts.PARTS["names"][key]
        newest = pods[key][0].containers if pods[key] else []
        found += [_source(key, "", each.name, title, each.had_run, len(newest)) for each in newest] or [
            _source(key, "", key, title, False, 1)  # which it will be
        ]
        for pod in pods[key] if len(pods[key]) > 1 else []:
            label = texts.LOGS["of_pod"].replace("{part}", title).replace("{pod}", pod.name)
            found += [
                _source(key, pod.name, each.name, label, each.had_run, len(pod.containers)) for each in pod.containers
            ]
    return found


def _source(part: str, pod: str, container: str, label: str, had_run: bool, of: int) -> dict[str, Any]:
    """`of`: how many containers the pod has."""
    if of > 1:
        label = texts.LOGS["container"].replace("{label}", label).replace("{container}", container)
    return {"part": part, "pod": pod, "container": container, "label": label, "had_run": had_run}


def usage(view: UsageView) -> dict[str, Any]:
    plain = view.model_dump(mode="json")
    plain["samples"] = [
        {"ms": round(each.at.timestamp() * 1000), "cpu": each.cpu, "memory": each.memory} for each in view.samples
    ]
    return plain
