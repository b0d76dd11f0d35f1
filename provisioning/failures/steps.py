"""What it means for a store that a step of ours failed."""

import re

from provisioning.act import Foreign
from provisioning.cluster import ClusterError
from provisioning.failures import causes
from provisioning.failures.cause import Cause
from provisioning.failures.reading import clean
from provisioning.failures.reason import Finding
from provisioning.failures.refusals import refusal_of, unreachable
from provisioning.helm import HelmError
from provisioning.secrets import SealBroken

_A_PART = "A part of the store"
_APPLIED = re.compile(r"server-side apply failed for object \S+/(\S+) \S*, Kind=(\w+): ")

# Helm's words, the cause, and how to say it; the first that fits counts.
_HELM: tuple[tuple[re.Pattern[str], Cause, str], ...] = (
    (
        re.compile(r"values don't meet the specifications of the schema\(s\) in the following chart\(s\): (\S+: - )?"),
        causes.HELM_VALUES,
        "Helm refused the store values",
    ),
    (
        re.compile(r"no matches for kind \"ExternalSecret\""),
        causes.NO_EXTERNAL_SECRETS,
        "The cluster has no External Secrets",
    ),
    (re.compile(r"There is no Helm: |\S+ is Helm v\d\S*: "), causes.HELM_ABSENT, "Helm cannot be used"),
    (re.compile(r"(?:pre|post)-(?:install|upgrade|rollback|delete)(?: hooks?)? failed|failed (?:pre|post)-\w+:?"),
     causes.HELM_HOOK, "A hook of the chart failed"),
    (
        re.compile(
            r"parse error|execution error|error calling|error converting YAML|unable to build kubernetes objects"
            r"|nil pointer evaluating|failed to parse"
        ),
        causes.HELM_TEMPLATE,
        "The chart cannot be rendered",
    ),
    (re.compile(r"\bis invalid: "), causes.CLUSTER_REFUSED, "The cluster refused a part of the store"),
)  # fmt: skip


def finding_of(error: ClusterError | HelmError | Foreign | SealBroken, namespace: str = "") -> Finding:
    """What a step's failure means for the store whose namespace this is."""
    words, what = _first_refusal(str(error)[:4000])
    if isinstance(error, Foreign):
        cause = causes.FOREIGN_RELEASE if error.release else causes.FOREIGN_NAMESPACE
        return cause.found(words[:1].upper() + words[1:], [words])
    if isinstance(error, SealBroken):
        return causes.SECRETS_UNREADABLE.found("The store's secrets cannot be opened", [words])
    refused = refusal_of(words, what, [words], namespace)
    if refused is not None:
        return refused
    if isinstance(error, HelmError):
        return _of_helm(words, namespace)
    if error.status == 401:
        return causes.UNAUTHORISED.found("The cluster does not accept the platform's credentials", [words])
    if error.away:
        return causes.CLUSTER_UNREACHABLE.found("The cluster does not answer", [words])
    if error.status == 403:
        return causes.FORBIDDEN.found("The cluster forbids a step of the platform", [words])
    short = clean(words)[:200]
    return causes.CLUSTER_REFUSED.found(f"The cluster refused a step: {short}", [words], lasting=error.status == 422)


def _first_refusal(words: str) -> tuple[str, str]:
    """(words about the first object, its kind and name) where Helm tells of several that were refused."""
    applied = list(_APPLIED.finditer(words))
    if not applied:
        return words, _A_PART
    end = applied[1].start() if len(applied) > 1 else len(words)
    return words[:end].strip(), f"{applied[0][2]} {applied[0][1]}"


def _of_helm(words: str, namespace: str) -> Finding:
    text, names = " ".join(words.split()), {"namespace": namespace}
    for pattern, cause, told in _HELM:
        if found := pattern.search(text):
            about = text[found.end() :] if cause in (causes.HELM_VALUES, causes.HELM_ABSENT) else text
            lasting = True if cause is causes.CLUSTER_REFUSED else None
            return cause.found(f"{told}: {about.strip()[:300]}", [text], names, lasting=lasting)
    return unreachable(text, [text]) or causes.HELM_FAILED.found(f"Helm failed: {text[:300]}", [text], names)
