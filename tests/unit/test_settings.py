"""What settings may be, and the sentence for each that may not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import startup
from app.command_error import CommandError
from app.settings import Settings, load, split_keys
from provisioning.plans import PLANS, use
from provisioning.secrets import new_key


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STOREFLEET_{name.upper()}", raising=False)


def test_nothing_has_to_be_set(tmp_path: Path) -> None:
    settings = load()
    assert settings.database_address == f"sqlite+aiosqlite:///{tmp_path}/data/storefleet.db"
    assert not settings.secure


def test_what_is_empty_is_as_good_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"STOREFLEET_{name.upper()}", "")
    assert load() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql+psycopg://me:secret@db.example.com/storefleet"),
        ("STORE_URL", "http://{name}.127.0.0.1.nip.io"),
        ("STORE_URL", "https://{name}.shops.example.com"),
        ("STORE_URL", "http://{name}.localhost:8080/"),
        ("URL", "https://storefleet.example.com"),
        ("INGRESS_URL", "http://10.0.0.1:80"),
        ("LOG_LEVEL", "WARNING"),
        ("AT_ONCE", "3"),
        ("LEASE_NAMESPACE", "storefleet-system"),
        ("EGRESS", "203.0.113.0/24:443, 198.51.100.7:587"),
        ("INGRESS_FROM", "ingress-nginx/app.kubernetes.io/name=ingress-nginx, 10.0.0.7"),
    ],
)
def test_good_ones(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"STOREFLEET_{name}", value)
    assert str(getattr(load(), name.lower())).lower() == value.rstrip("/").lower()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "hunter2", "is not a database URL"),
        ("DATABASE_URL", "mysql://me:hunter2@localhost/x", "begins with mysql"),
        ("DATABASE_URL", "sqlite:///x.db", "begins with sqlite"),
        ("DATABASE_URL", "sqlite+aiosqlite://", "names no file"),
        ("DATABASE_URL", "sqlite+aiosqlite:///:memory:", "names no file"),
        ("LEASE_NAMESPACE", "Storefleet_System", "is not the name of a namespace"),
        ("STORE_URL", "http://shops.example.com", "needs {name} once"),
        ("STORE_URL", "http://{name}.{name}.localhost", "needs {name} once"),
        ("STORE_URL", "http://{name}.{host}", "needs {name} once"),
        ("STORE_URL", "http://example.com/{name}", "nothing behind it"),
        ("STORE_URL", "http://my-{name}.example.com", "begin its host with {name}."),
        ("STORE_URL", "http://{name}", "begin its host with {name}."),
        ("STORE_URL", "ftp://{name}.localhost", "http:// or https://"),
        ("STORE_URL", "http://{name}.localhost:99999", "http:// or https://"),
        ("URL", "storefleet.example.com", "http:// or https://"),
        ("URL", "https://me:hunter2@example.com", "nothing behind it"),
        ("INGRESS_URL", "http://", "http:// or https://"),
        ("KEY", "hunter2", "is not a Fernet key"),
        ("STORE_VALUES", "/nowhere.yaml", "names a file that is not there"),
        ("PLANS", "/nowhere.yaml", "names a file that is not there"),
        ("EGRESS", "pay.example.com:443", "write a network and a port"),
        ("EGRESS", "0.0.0.0/0", "write a network and a port"),
        ("EGRESS", "169.254.169.254:80", "must never reach 169.254.169.254"),
        ("INGRESS_FROM", "Ingress_Nginx", "write NAMESPACE"),
        ("LOG_LEVEL", "loud", "'debug', 'info'"),
        ("AT_ONCE", "many", "integer"),
        ("AT_ONCE", "0", "greater than or equal to 1"),
        ("PROVISIONING_MINUTES", "nan", "finite"),
        ("SANDBOX_SPEED", "-1", "greater than 0"),
    ],
)
def test_bad_ones(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(f"STOREFLEET_{name}", value)
    with pytest.raises(CommandError) as refused:
        load()
    sentence = str(refused.value)
    assert refused.value.status == 2
    assert sentence.startswith(f"STOREFLEET_{name}")
    assert says in sentence
    assert "hunter2" not in sentence
    assert "\n" not in sentence


def test_each_bad_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREFLEET_URL", "x")
    monkeypatch.setenv("STOREFLEET_AT_ONCE", "x")
    with pytest.raises(CommandError) as refused:
        load()
    assert str(refused.value).count("\n") == 1


@pytest.mark.parametrize("name", ["ADMIN_EMAIL", "ADMIN_PASSWORD"])
def test_the_administrators_address_and_password_belong_together(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"STOREFLEET_{name}", "admin@example.com")
    with pytest.raises(CommandError, match="set both or neither"):
        load()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREFLEET_KEY", key := new_key())
    monkeypatch.setenv("STOREFLEET_ADMIN_EMAIL", "admin@example.com")
    monkeypatch.setenv("STOREFLEET_ADMIN_PASSWORD", "hunter2-hunter2")
    assert key not in repr(load())
    assert "hunter2" not in repr(load())


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert startup.keys(settings) == startup.keys(settings)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_several_keys_the_newest_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    monkeypatch.setenv("STOREFLEET_KEY", f"{new}, {old}")
    assert split_keys(load().key) == [new, old]
    assert startup.keys(load()) == [new, old]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("text", "values"), [("", {}), ("a: {b: 1}", {"a": {"b": 1}})])
def test_values_for_every_store(tmp_path: Path, text: str, values: dict[str, object]) -> None:
    (tmp_path / "values.yaml").write_text(text)
    assert startup.overlay(Settings(store_values=tmp_path / "values.yaml")) == values


@pytest.mark.parametrize("text", ["a: [", "- a", "words", "\x00"])
def test_values_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "values.yaml").write_text(text)
    with pytest.raises(CommandError, match="STOREFLEET_STORE_VALUES"):
        startup.overlay(Settings(store_values=tmp_path / "values.yaml"))


@pytest.fixture
def own_plans() -> Iterator[None]:
    """What a process is told of plans is taken back."""
    before = dict(PLANS)
    yield
    use(before)


@pytest.mark.usefixtures("own_plans")
def test_the_operators_plans(tmp_path: Path) -> None:
    (tmp_path / "plans.yaml").write_text("small: {storage: 8Gi}\ntiny: {cpu: 1, memory: 1Gi, storage: 500Mi}\n")
    unfit = startup.use_plans(Settings(plans=tmp_path / "plans.yaml"), {})
    assert PLANS["small"].storage == "8Gi"
    assert list(unfit) == ["tiny"]
    assert "storage of 1024Mi, its quota is 500Mi" in unfit["tiny"]
    bigger = {"postgresql": {"persistence": {"size": "9Gi"}}}
    assert set(startup.use_plans(Settings(), bigger)) == {"small", "tiny"}


@pytest.mark.parametrize("text", ["a: [", "- small", "small: {disk: 1Gi}", "new: {cpu: 1}"])
def test_plans_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "plans.yaml").write_text(text)
    with pytest.raises(CommandError, match="STOREFLEET_PLANS"):
        startup.use_plans(Settings(plans=tmp_path / "plans.yaml"), {})
