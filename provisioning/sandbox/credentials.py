"""The API's certificate and token, and the kubeconfig that tells of them; kept in the data folder if there is one.

client-go sends no bearer token over plain HTTP, hence TLS on loopback, with an authority made for this sandbox alone.
"""

import base64
import json
import os
import secrets
import ssl
from dataclasses import asdict, dataclass
from pathlib import Path

import trustme

_FILE = "credentials.json"


@dataclass
class Credentials:
    token: str
    authority: str  # PEM
    certificate: str  # PEM: key and certificate chain of the server
    api_port: int = 0  # 0: not chosen yet
    ingress_port: int = 0

    def server_context(self, folder: Path) -> ssl.SSLContext:
        path = folder / "server.pem"
        write_private(path, self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def save(self, folder: Path) -> None:
        write_private(folder / _FILE, json.dumps(asdict(self)))

    def kubeconfig(self, url: str) -> str:
        authority = base64.b64encode(self.authority.encode()).decode()
        return json.dumps(  # JSON is YAML, and needs no quoting rules
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "sandbox",
                "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
                "clusters": [{"name": "sandbox", "cluster": {"server": url, "certificate-authority-data": authority}}],
                "users": [{"name": "sandbox", "user": {"token": self.token}}],
            },
            indent=1,
        )


def load_or_make(folder: Path) -> Credentials:
    """Those of an earlier run in this folder, else new ones."""
    try:
        return Credentials(**json.loads((folder / _FILE).read_text()))
    except FileNotFoundError:
        pass
    authority = trustme.CA(organization_name="Storefleet sandbox")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    credentials = Credentials(
        token=secrets.token_urlsafe(32),
        authority=authority.cert_pem.bytes().decode(),
        certificate=certificate.private_key_and_cert_chain_pem.bytes().decode(),
    )
    credentials.save(folder)
    return credentials


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
