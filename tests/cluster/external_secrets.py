"""A bare CRD of ExternalSecret (external-secrets.io/v1), for tests: the fields that the chart uses and those beside
them, as its operator's documentation has them; what it does not name is refused, so that a misspelt field shows."""

from typing import Any

NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


def text(*words: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", **({"enum": list(words)} if words else {}), **more}


def fields(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
REMOTE = fields(
    "key",
    key=text(),
    property=text(),
    version=text(),
    conversionStrategy=text("Default", "Unicode"),
    decodingStrategy=text("Auto", "Base64", "Base64URL", "None"),
    metadataPolicy=text("None", "Fetch"),
)
SPEC = fields(
    refreshInterval=text(),
    refreshPolicy=text("CreatedOnce", "Periodic", "OnChange"),
    secretStoreRef=fields(kind=text("SecretStore", "ClusterSecretStore"), name=text(pattern=NAME, maxLength=253)),
    target=fields(
        name=text(maxLength=253),
        creationPolicy=text("Owner", "Orphan", "Merge", "None"),
        deletionPolicy=text("Delete", "Merge", "Retain"),
        immutable={"type": "boolean"},
        template=fields(
            type=text(),
            engineVersion=text("v2"),
            mergePolicy=text("Replace", "Merge"),
            data=TEXTS,
            metadata=fields(labels=TEXTS, annotations=TEXTS),
        ),
    ),
    data={"type": "array", "items": fields("secretKey", "remoteRef", secretKey=text(), remoteRef=REMOTE)},
    dataFrom={"type": "array", "items": fields(extract=REMOTE)},
)
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "externalsecrets.external-secrets.io"},
    "spec": {
        "group": "external-secrets.io",
        "scope": "Namespaced",
        "names": {"kind": "ExternalSecret", "plural": "externalsecrets", "singular": "externalsecret"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}, "required": ["spec"]},
                },
            }
        ],
    },
}
