"""Every setting, its default and its meaning: environment variables that begin with STOREFLEET_.

The README's table is tested against this class.  A value that cannot be used is refused at the start, in a sentence
that says what to change.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.command_error import CommandError
from app.proxies import Network, networks
from provisioning import fence

PREFIX = "STOREFLEET_"
SMALLEST_PASSWORD = 8
SMALLEST_TOKEN = 16


class Settings(BaseSettings):
    """Read once, at the start of the process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    database_url: str = Field(
        default="",
        description="`sqlite+aiosqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`. "
        "Without it: the file `storefleet.db` in the data folder.",
    )
    data_dir: Path = Field(default=Path("data"), description="Folder for the database, the key and the sandbox.")
    store_url: str = Field(
        default="",
        description="What a store's address looks like; `{name}` stands for the store. Default "
        "`http://{name}.localhost` (with the sandbox's port there); `http://{name}.127.0.0.1.nip.io` and "
        "`https://{name}.shops.example.com` work as well. The host goes into the Ingress; https asks for TLS.",
    )
    ingress_url: str = Field(
        default="",
        description="Where the engine asks whether a store answers, with the store's Host header, when DNS does not "
        "lead there. Without it: the store's own address. By https the store's own certificate is asked for; trusted "
        "are the public authorities, this machine's, and those of SSL_CERT_FILE.",
    )
    url: str = Field(
        default="",
        description="The dashboard's own address, as people type it. Requests that name another host are refused (but "
        "for loopback, and probes of health); https makes cookies Secure.",
    )
    key: SecretStr = Field(
        default=SecretStr(""),
        description="Seals stores' secrets in the database: a Fernet key, or several separated by commas, the newest "
        "first. Without it: the file `key` in the data folder, made at the first start.",
    )
    store_values: Path | None = Field(
        default=None, description="A Helm values file that is laid over the chart's for every store."
    )
    plans: Path | None = Field(
        default=None,
        description="A YAML file of plans, laid over small, medium and large: `{small: {cpu: 1, memory: 3Gi, storage: "
        "5Gi, values: {}}}` (the quota of a store's namespace, and Helm values); further ones may be added.",
    )
    ingress_from: str = Field(
        default="",
        description="Whence shops may be asked, separated by commas: `NAMESPACE`, `NAMESPACE/LABEL=VALUE` (pods), or a "
        "network (a controller on its node's address). Without it: the pods of Traefik, ingress-nginx and HAProxy, by "
        "the label of their charts, wherever they run.",
    )
    egress: str = Field(
        default="",
        description="What shops may reach beyond the cluster, for payment and mail: networks and ports, separated by "
        "commas, as `203.0.113.0/24:443, 198.51.100.7:587`. Wide ones leave out private networks, and all of them the "
        "API server and the addresses where clouds hand out credentials.",
    )
    admin_email: str = Field(
        default="", description="Makes the first administrator at the start, together with the password."
    )
    admin_password: SecretStr = Field(default=SecretStr(""), description="The first administrator's password.")
    oidc_issuer: str = Field(
        default="",
        description="An OpenID provider by which people can sign in as well: its issuer, letter by letter. Needs the "
        "other three and `STOREFLEET_URL`; `<STOREFLEET_URL>/sign-in/oidc/callback` is to be registered there.",
    )
    oidc_client_id: str = Field(default="", description="What the provider calls us.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="What proves to the provider that it is us."
    )
    oidc_domains: str = Field(
        default="",
        description="Domains of e-mail addresses, separated by commas, whose people the provider may sign in: exactly "
        "these, none below them. Who has no account gets one.",
    )
    oidc_name: str = Field(
        default="single sign-on", max_length=40, description="What the button calls the provider: “Sign in with …”."
    )
    at_once: int = Field(default=5, ge=1, le=100, description="Stores being provisioned at the same time.")
    in_flight: int = Field(
        default=20, ge=1, le=10_000, description="Stores requested or being provisioned, before more are refused."
    )
    stores_per_user: int = Field(
        default=5,
        ge=0,
        le=10_000,
        description="Stores that a user may have; an administrator can give somebody another number, and is not "
        "limited by it.",
    )
    stores_in_all: int = Field(
        default=100, ge=0, le=100_000, description="Stores that there may be, administrators' included."
    )
    creations_an_hour: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="Stores that can be created within an hour from one address; administrators are not limited by it.",
    )
    connections_an_address: int = Field(
        default=250,
        ge=10,
        le=100_000,
        description="What one address may have open at the same time: requests, streams, pages. Twice as many "
        "connections of it are taken, none beyond; a trusted proxy may have any number.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses and networks of the proxies before us, separated by commas. What X-Forwarded-For says "
        "counts only from them; without it the other end of the connection is the client.",
    )
    provisioning_minutes: float = Field(
        default=10,
        gt=0,
        le=1440,
        allow_inf_nan=False,
        description="Minutes until a store that does not come up is FAILED.",
    )
    capacity: Literal["wait", "refuse"] = Field(
        default="wait",
        description="What is done about a new store that the cluster has no room for now: `wait` accepts it and says "
        "what it waits for, `refuse` refuses it. What cannot be seen counts as room.",
    )
    orphans: Literal["report", "clean"] = Field(
        default="report",
        description="What is done about objects in the cluster whose store is not known any more: `report` shows them "
        "to administrators, `clean` also removes those that stay for ten minutes and whose store is known "
        "to have been deleted.",
    )
    lease_namespace: str = Field(
        default="",
        description="Namespace of the Lease by which several processes on one PostgreSQL choose the one that runs the "
        "engine. Without it: the pod's own, else `default`.",
    )
    undo_minutes: float = Field(
        default=0,
        ge=0,
        le=43_200,
        allow_inf_nan=False,
        description="Minutes in which a deletion can be undone: the store is stopped, and nothing is destroyed yet.",
    )
    sandbox_speed: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="How much faster than life the sandbox pretends to be.",
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="Opens `/metrics`, and nothing else, to whoever sends it as a bearer token. Administrators read it "
        "with their own.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="`debug`, `info`, `warning` or `error`."
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        try:
            driver = make_url(url).drivername if url else "sqlite+aiosqlite"
        except ArgumentError as error:
            raise ValueError("is not a database URL such as sqlite+aiosqlite:///data/storefleet.db") from error
        if driver not in ("sqlite+aiosqlite", "postgresql+psycopg"):
            raise ValueError(f"begins with {driver}; use sqlite+aiosqlite:// or postgresql+psycopg://")
        if driver == "sqlite+aiosqlite" and url and make_url(url).database in (None, "", ":memory:"):
            raise ValueError("names no file; a database in memory would forget the stores at every restart")
        return url

    @field_validator("store_url")
    @classmethod
    def _store_address(cls, url: str) -> str:
        if not url:
            return url
        if url.count("{name}") != 1 or re.search(r"[{}]", url.replace("{name}", "")):
            raise ValueError("needs {name} once, where the store's name goes: http://{name}.localhost")
        address = _http_address(url.replace("{name}", "shop"))
        if not (address.hostname or "").startswith("shop.") or address.hostname == "shop.":
            raise ValueError("has to begin its host with {name}. (a host of its own for each store)")
        return url.rstrip("/")

    @field_validator("ingress_url", "url")
    @classmethod
    def _address(cls, url: str) -> str:
        if url:
            _http_address(url)
        return url.rstrip("/")

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, issuer: str) -> str:
        address = urlsplit(issuer)
        loopback = address.scheme == "http" and address.hostname in ("127.0.0.1", "localhost", "::1")
        if issuer and (not (address.scheme == "https" or loopback) or not address.hostname or address.query):
            raise ValueError("has to be https:// and what the provider calls itself (http only on loopback)")
        return issuer

    @field_validator("oidc_domains")
    @classmethod
    def _domains(cls, domains: str) -> str:
        for each in filter(None, (part.strip() for part in domains.split(","))):
            if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", each.lower()):
                raise ValueError("lists what is no domain; write example.com, example.org")
        return domains

    @field_validator("key")
    @classmethod
    def _keys(cls, key: SecretStr) -> SecretStr:
        if any(not re.fullmatch(r"[A-Za-z0-9_-]{43}=", each) for each in split_keys(key)):
            raise ValueError(
                "is not a Fernet key (44 characters, URL-safe base64); make one with "
                "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            )
        return key

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < SMALLEST_TOKEN:
            raise ValueError(f"is too easily guessed: use at least {SMALLEST_TOKEN} characters, made up by chance")
        return token

    @field_validator("lease_namespace")
    @classmethod
    def _namespace(cls, name: str) -> str:
        if name and not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
            raise ValueError("is not the name of a namespace (lower-case letters, digits and hyphens)")
        return name

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, setting: str) -> str:
        try:
            networks(setting)
        except ValueError as error:
            raise ValueError("lists what is neither an address nor a network; write 10.0.0.7, 10.42.0.0/16") from error
        return setting

    @field_validator("ingress_from")
    @classmethod
    def _doors(cls, setting: str) -> str:
        fence.doors(setting)
        return setting

    @field_validator("egress")
    @classmethod
    def _ways(cls, setting: str) -> str:
        fence.ways(setting)
        return setting

    @field_validator("store_values", "plans")
    @classmethod
    def _file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"names a file that is not there: {path}")
        return path

    @field_validator("log_level", "capacity", "orphans", mode="before")
    @classmethod
    def _lower(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level

    @property
    def database_address(self) -> str:
        """The database's URL, the default worked out."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'storefleet.db'}"

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """Whose X-Forwarded-For counts."""
        return networks(self.trusted_proxies)

    @cached_property
    def oidc_email_domains(self) -> frozenset[str]:
        """Whom the OpenID provider may sign in."""
        return frozenset(each.strip().lower() for each in self.oidc_domains.split(",") if each.strip())

    @cached_property
    def fence(self) -> fence.Fence:
        """Who may talk to shops, and to whom they may."""
        return fence.Fence(fence.doors(self.ingress_from), fence.ways(self.egress))

    @property
    def secure(self) -> bool:
        """Do browsers reach us over TLS?"""
        return self.url.startswith("https://")


def load() -> Settings:
    """The settings of this process.  Raises CommandError, with a sentence for each that cannot be used."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise CommandError("\n".join(_sentence(each) for each in error.errors()), 2) from None
    if bool(settings.admin_email) != bool(settings.admin_password.get_secret_value()):
        raise CommandError(f"{PREFIX}ADMIN_EMAIL and {PREFIX}ADMIN_PASSWORD belong together: set both or neither.", 2)
    oidc = {
        "OIDC_ISSUER": settings.oidc_issuer,
        "OIDC_CLIENT_ID": settings.oidc_client_id,
        "OIDC_CLIENT_SECRET": settings.oidc_client_secret.get_secret_value(),
        "OIDC_DOMAINS": settings.oidc_domains,
    }
    if any(oidc.values()) and not (all(oidc.values()) and settings.url):
        names = ", ".join(f"{PREFIX}{name}" for name in oidc)
        raise CommandError(f"{names} and {PREFIX}URL belong together: set all of them, or none of the first four.", 2)
    return settings


def split_keys(key: SecretStr) -> list[str]:
    """The keys in STOREFLEET_KEY, the newest first."""
    return [each.strip() for each in key.get_secret_value().split(",") if each.strip()]


def _http_address(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and address.hostname and (address.port or 1)
    except ValueError:
        usable = False
    if not usable or address.path.strip("/") or address.query or address.fragment or address.username:
        raise ValueError("has to be http:// or https://, a host and perhaps a port, and nothing behind it")
    return address


def _sentence(error: ErrorDetails) -> str:
    name = PREFIX + str(error["loc"][0]).upper()
    message = str(error["msg"])
    if error["type"] == "value_error":
        return f"{name} {message.removeprefix('Value error, ')}."
    return f"{name}: {message[0].lower()}{message[1:]}."
