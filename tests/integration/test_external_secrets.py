"""Secrets that an external secret store makes: the engine makes none, waits, and says what for."""

import asyncio
import base64
import secrets

from provisioning.states import State
from provisioning.templates import LABEL_INSTALLATION, LABEL_STORE
from tests.integration.fleet import fleet_on, sandbox_in

OVERLAY = {"secrets": {"provider": "external", "external": {"storeName": "vault"}}}
KEYS = ("database-password", "jwt-secret", "cookie-secret", "admin-password", "admin-email")


async def test_the_engine_waits_for_the_secret_and_says_so(tmp_path):
    async with sandbox_in() as sandbox, fleet_on(sandbox, tmp_path, overlay=OVERLAY) as fleet:
        await fleet.ask("shop")
        async with asyncio.timeout(30):
            while True:
                store = await fleet.store("shop")
                reason = fleet.engine.condition(store).reason if store else None
                if reason is not None and reason.code == "external_secret":
                    break
                await asyncio.sleep(0.05)
        assert reason.message == "External secret not synced: there is no Secret yet"
        assert "externalsecrets" in reason.hint
        assert await fleet.cluster.get("Secret", "store-secrets", "store-shop") is None
        assert store is not None
        assert store.state is State.PROVISIONING

        # What the operator does, once it has read the secret store.
        labels = {LABEL_STORE: store.id, LABEL_INSTALLATION: await fleet.database.installation()}
        data = {key: base64.b64encode(secrets.token_urlsafe(9).encode()).decode() for key in KEYS}
        metadata = {"name": "store-secrets", "namespace": "store-shop", "labels": labels}
        await fleet.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
        assert (await fleet.settled("shop", within=60)).state is State.READY
        there = await fleet.cluster.get("Secret", "store-secrets", "store-shop")
        assert there is not None
        assert there["data"] == data, "it is left as it is"
