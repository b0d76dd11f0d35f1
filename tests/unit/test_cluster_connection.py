"""How the connection to a cluster is set up."""

import ssl
from pathlib import Path
from typing import Any

from provisioning.cluster import Cluster
from tests.unit.kubeconfigs import a_kubeconfig


async def test_an_authority_is_not_asked_for_more_than_kubectl_asks(tmp_path: Path, monkeypatch) -> None:
    """As Python 3.13 does by default: many clusters' own authorities would not pass."""
    create = ssl.create_default_context

    def strict(*arguments: Any, **options: Any) -> ssl.SSLContext:
        context = create(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    file = tmp_path / "kubeconfig"
    file.write_text(a_kubeconfig("https://cluster.example"))
    cluster = await Cluster.connect(file, agent="storefleet/1.2.3")
    try:
        context = cluster._api.rest_client.ssl_context
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert cluster._api.user_agent == "storefleet/1.2.3"
    finally:
        await cluster.close()
