"""Why a shop whose pods are ready is not reached: its Ingress, the class, the certificate, the name."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from provisioning.cluster import Obj
from provisioning.failures import causes
from provisioning.failures.reading import condition, line, names_of, reference
from provisioning.failures.reason import Finding
from provisioning.probe import Answer, Problem

LEGACY_CLASS = "kubernetes.io/ingress.class"  # an annotation, from before there was the field


@dataclass(frozen=True)
class WayIn:
    """What stands between visitors and the shop, as far as it may be read; None: unknown."""

    ingress: Obj | None = None
    class_there: bool | None = None  # is there an ingress class of the name that the Ingress has?
    secret_there: bool | None = None  # is there a Secret of the name that the Ingress takes its certificate from?
    certificate: Obj | None = None  # cert-manager's, for that Secret


def class_of(ingress: Obj) -> str:
    """The name of the Ingress's class; "" where it has none."""
    annotations = ingress["metadata"].get("annotations") or {}
    return str((ingress.get("spec") or {}).get("ingressClassName") or annotations.get(LEGACY_CLASS) or "")


def certificate_secret_of(ingress: Obj) -> str:
    """The name of the Secret that holds the Ingress's certificate; "" where it is served by another's."""
    tls = (ingress.get("spec") or {}).get("tls") or []
    return next((str(each["secretName"]) for each in tls if each.get("secretName")), "")


def not_reached(answer: Answer, url: str, way: WayIn) -> Finding:
    """The cause of an answer that is not the shop's, nearest to the shop first."""
    ingress, evidence = way.ingress, [answer.detail]
    host = urlsplit(url).hostname or url
    names = {"url": url, "host": host, "namespace": "", "name": ""}
    if ingress is None:
        return causes.INGRESS_MISSING.found("The store has no Ingress", evidence, names)
    names |= names_of(ingress)
    class_name = class_of(ingress)
    if class_name and way.class_there is False:
        said = line(ingress, "ingressClassName", class_name)
        message = f"Ingress is not served: there is no ingress class {class_name}"
        return causes.INGRESS_CLASS_MISSING.found(message, [said, *evidence], names)
    if pending := _certificate(ingress, way, evidence, names):
        return pending
    if answer.problem is Problem.NAME:
        return causes.NAME_UNKNOWN.found(f"The host name {host} does not resolve", evidence, names)
    if answer.problem is Problem.TLS:
        return causes.CERTIFICATE_WRONG.found(f"HTTPS to {host} fails: {answer.detail}", evidence, names)
    if answer.problem is Problem.STATUS and answer.status in (502, 503, 504):
        message = f"The ingress does not get through to the shop: it answers {answer.status}"
        return causes.SHOP_UNREACHABLE.found(message, evidence, names)
    return _not_taken_up(answer, ingress, class_name, evidence, names)


def _not_taken_up(answer: Answer, ingress: Obj, class_name: str, evidence: list[str], names: dict[str, str]) -> Finding:
    addressed = bool(((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress"))
    strange = answer.status == 404 or answer.problem is Problem.SILENCE
    if strange and not class_name and not addressed:
        message = "Ingress is not served: it has no class, and the cluster no default one"
        return causes.INGRESS_NO_CLASS.found(
            message, [f"{reference(ingress)} has no ingressClassName", *evidence], names
        )
    if strange and not addressed:
        message = f"Ingress has no address: no controller of the class {class_name} takes it up"
        return causes.INGRESS_NOT_TAKEN.found(message, [f"{reference(ingress)} has no address", *evidence], names)
    if answer.status == 404:
        message = f"The ingress does not know the host {names['host']}: it answers 404"
        return causes.INGRESS_NOT_TAKEN.found(message, evidence, names)
    if answer.problem is Problem.SILENCE:
        return causes.FRONT_DOOR_AWAY.found("Nothing answers at the store's address", evidence, names)
    return causes.SHOP_ANSWERS_WRONG.found(f"The store's address answers {answer.status}", evidence, names)


def _certificate(ingress: Obj, way: WayIn, evidence: list[str], names: dict[str, str]) -> Finding | None:
    """What cert-manager says of the certificate, or that its Secret is not there."""
    secret = certificate_secret_of(ingress)
    ready = condition(way.certificate, "Ready") if way.certificate else None
    if way.certificate and (ready is None or ready.get("status") != "True"):
        words = str((ready or {}).get("message") or "not issued yet")
        said = line(way.certificate, str((ready or {}).get("reason") or "Pending"), words)
        message = f"TLS certificate {secret} is not ready: {words}"
        return causes.CERTIFICATE_PENDING.found(message, [said, *evidence], names)
    if secret and way.secret_there is False:
        said = f"{reference(ingress)} takes its certificate from secret/{secret}, which is not there"
        return causes.CERTIFICATE_PENDING.found(
            f"TLS certificate is missing: no Secret {secret}", [said, *evidence], names
        )
    return None
