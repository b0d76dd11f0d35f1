"""The ingress on loopback: it answers for each store by the Host header, as far as Services and pods stand behind it.

It is a simulation and says so on every page.  Everything that comes from objects is escaped.
"""

import html
import json
from collections import defaultdict
from collections.abc import Iterable

from aiohttp import web

from provisioning.sandbox.controllers.network import SERVICE_LABEL, Ingresses
from provisioning.sandbox.objects import Obj, is_terminating, labels_of, name_of, namespace_of
from provisioning.sandbox.store import Change, Store

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:4rem auto;padding:0 1.5rem;color:#1c2733}"
    "p.note{border-left:3px solid #b7791f;padding-left:1rem;color:#5a4a1f}ul{list-style:none;padding:0;display:grid;"
    "grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:1rem}li{border:1px solid #d5dbe1;border-radius:8px;"
    "padding:1rem}small{color:#5c6b7a}"
)
_PRODUCTS = (
    ("Coffee mug", "coffee-mug", 1200),
    ("Linen shirt", "linen-shirt", 4900),
    ("Canvas bag", "canvas-bag", 2400),
    ("Notebook", "notebook", 900),
)


class Ingress:
    """Knows which Ingress serves which host, by following the store."""

    def __init__(self, store: Store, ingresses: Ingresses) -> None:
        self._store, self._ingresses = store, ingresses
        self._hosts: dict[str, set[tuple[str, str]]] = defaultdict(set)  # host -> (namespace, name) of Ingresses
        for obj in store.objects("Ingress"):
            self._add(obj)
        store.collection("Ingress").listeners[self._changed] = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        host = request.headers.get("Host", "").rpartition(":")[0] or request.headers.get("Host", "")
        ingress = self._find(host.lower())
        backend = _backend(ingress, request.path) if ingress else None
        if ingress is None or backend is None:
            return web.Response(status=404, text="404 page not found\n")
        if not self._is_ready(namespace_of(ingress), backend):
            return web.Response(status=503, text="no available server\n")
        return _answer(request, ingress)

    def _changed(self, change: Change) -> None:
        if change.old is not None:
            for host in _hosts(change.old):
                self._hosts[host].discard((namespace_of(change.old), name_of(change.old)))
                if not self._hosts[host]:
                    del self._hosts[host]
        if change.type != "DELETED":
            self._add(change.record.obj)

    def _add(self, obj: Obj) -> None:
        for host in _hosts(obj):
            self._hosts[host].add((namespace_of(obj), name_of(obj)))

    def _find(self, host: str) -> Obj | None:
        for namespace, name in sorted(self._hosts.get(host, ())):
            ingress = self._store.find("Ingress", namespace, name)
            if ingress is not None and not is_terminating(ingress) and self._ingresses.serves(ingress):
                return ingress
        return None

    def _is_ready(self, namespace: str, service: str) -> bool:
        return self._store.find("Service", namespace, service) is not None and any(
            endpoint["conditions"]["ready"]
            for item in self._store.objects("EndpointSlice", namespace)
            if labels_of(item).get(SERVICE_LABEL) == service
            for endpoint in item["endpoints"]
        )


def _hosts(ingress: Obj) -> Iterable[str]:
    return [rule["host"].lower() for rule in (ingress.get("spec") or {}).get("rules") or [] if rule.get("host")]


def _backend(ingress: Obj, path: str) -> str | None:
    """The name of the Service for a path: the longest match."""
    best, service = -1, None
    for rule in ingress["spec"].get("rules") or []:
        for item in (rule.get("http") or {}).get("paths") or []:
            prefix = item.get("path") or "/"
            whole = path == prefix or path.startswith(prefix.rstrip("/") + "/")
            if whole and len(prefix) > best:
                best, service = len(prefix), (item.get("backend") or {}).get("service", {}).get("name")
    return service


def _answer(request: web.BaseRequest, ingress: Obj) -> web.Response:
    match request.path:
        case "/ready" | "/health":
            return web.Response(text="OK")
        case "/store/products":
            if not request.headers.get("x-publishable-api-key"):
                message = "Publishable API key required in the request header: x-publishable-api-key."
                return _json({"type": "not_allowed", "message": message}, 400)
            products = [_product(*product) for product in _PRODUCTS]
            return _json({"products": products, "count": len(products), "offset": 0, "limit": 50})
        case "/app" | "/app/":
            return _page(
                "No admin here", "<p>The sandbox only pretends to run shops: there is no admin behind this page.</p>"
            )
        case "/":
            items = "".join(
                f"<li>{html.escape(title)}<br><small>{price / 100:.2f}</small></li>" for title, _, price in _PRODUCTS
            )
            store = html.escape(namespace_of(ingress).removeprefix("store-"))
            return _page(store, f"<p>Sample products of the store <b>{store}</b>.</p><ul>{items}</ul>")
    return web.Response(status=404, text="Not found\n")


def _product(title: str, handle: str, price: int) -> Obj:
    return {
        "id": f"prod_{handle}",
        "title": title,
        "handle": handle,
        "variants": [
            {"id": f"variant_{handle}", "title": "Default", "calculated_price": {"calculated_amount": price / 100}}
        ],
    }


def _json(data: Obj, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(data), status=status, content_type="application/json")


def _page(title: str, body: str) -> web.Response:
    note = "This is a simulated shop: Storefleet runs on its sandbox, without a cluster. Nothing can be bought."
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title} (simulated shop)</title><style>{_STYLE}</style><h1>{title}</h1>"
        f'<p class="note">{note}</p>{body}</html>'
    )
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return web.Response(text=text, content_type="text/html", headers=headers)
