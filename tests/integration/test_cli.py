"""The command line and the serving process, from outside: what a person, a script or a supervisor meets."""

import json
import os
import signal
import socket
import sqlite3
import stat
import time
from pathlib import Path

import httpx
import pytest

from tests.served import EMAIL, PASSWORD, Served, command, process
from tests.unit.kubeconfigs import a_kubeconfig


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return served.token()


def refused(*arguments: str, status: int, says: str, **settings: str) -> str:
    """The one sentence with which a command that cannot work ends."""
    ended = (process if "serve" in arguments else command)(*arguments, **settings)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def settled(served: Served) -> None:
    """Wait until the engine runs and its cluster is there."""
    with served.client() as client:
        for _ in range(300):
            if client.get("/readyz").is_success:
                return
            time.sleep(0.1)
    raise AssertionError(served.log.read_text()[-4000:])


# Serving


def test_it_says_where_it_serves_and_that_the_sandbox_is_no_cluster(served: Served) -> None:
    console = served.log.read_text()
    assert f"Storefleet serves at {served.url}" in console
    assert "simulated cluster. Nothing runs for real." in console
    assert PASSWORD not in console


def test_the_first_administrator_can_sign_in_as_soon_as_it_is_healthy(served: Served) -> None:
    with served.client() as client:
        answer = client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.get("/").status_code == 200
        assert client.post("/sign-in", data={"email": EMAIL, "password": "wrong"}).status_code == 401


def test_a_page_without_a_session_leads_to_sign_in(served: Served) -> None:
    with served.client() as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_a_store_from_the_request_to_its_end(served: Served, token: str) -> None:
    settled(served)
    asked = {"STOREFLEET_URL": served.url, "STOREFLEET_TOKEN": token}
    assert process("stores", "list", **asked).stdout == "No stores.\n"
    created = command("stores", "create", "bikeshop", "--wait", "--timeout", "60", **asked)
    assert created.returncode == 0, created.stderr + created.stdout
    assert "Store requested" in created.stdout
    assert "Store READY" in created.stdout
    listed = command("stores", "list", "--state", "ready", **asked).stdout.splitlines()
    assert listed[0].split() == ["NAME", "STATE", "PLAN", "OWNER", "URL"]
    assert listed[1].split()[:4] == ["bikeshop", "READY", "small", EMAIL]
    shown = json.loads(command("stores", "show", "bikeshop", "--json", **asked).stdout)
    assert shown["url"].startswith("http://bikeshop.localhost:")
    answer = httpx.get(
        f"http://127.0.0.1:{httpx.URL(shown['url']).port}/", headers={"Host": "bikeshop.localhost"}, trust_env=False
    )
    assert answer.is_success
    refused("stores", "retry", "bikeshop", status=1, says="a store that is FAILED", **asked)
    refused("stores", "upgrade", "bikeshop", status=1, says="the store has the newest release", **asked)
    refused("stores", "rollback", "bikeshop", "--revision", "1", status=1, says="no earlier release", **asked)
    events = command("stores", "events", "bikeshop", **asked).stdout
    assert "PostgreSQL pod ready" in events
    log = command("stores", "logs", "bikeshop", "--part", "postgres", "--tail", "1000", **asked).stdout
    assert "database system is ready to accept connections" in log
    refused("stores", "logs", "bikeshop", "--previous", status=1, says="revious terminated container", **asked)
    read_a_log_as_it_comes(served, token)
    deleted = command("stores", "delete", "bikeshop", "--wait", **asked)
    assert (deleted.returncode, deleted.stdout) == (0, "bikeshop is gone.\n")
    refused("stores", "show", "bikeshop", status=1, says="There is no store of that name", **asked)


def read_a_log_as_it_comes(served: Served, token: str) -> None:
    """As text and as events; a stream that broke off goes on behind its last line, and none is left behind."""
    path, query = "/api/v1/stores/bikeshop/logs", {"follow": "true", "tail": "1"}
    with served.client(token) as client:
        with client.stream("GET", path, params=query) as text:
            assert text.headers["content-type"].startswith("text/plain")
            lines = text.iter_lines()
            assert next(lines).startswith("-- medusa-")
            assert next(lines) < next(lines)  # each begins with its time
        events: dict[str, list[str]] = {"": [], "again": []}
        last = {}
        for turn, seen in events.items():
            with client.stream("GET", path, params=query, headers={"Accept": "text/event-stream", **last}) as stream:
                for line in stream.iter_lines():
                    if line.startswith("data: "):  # one event may hold several lines
                        seen += [at for at, _ in json.loads(line[6:]).get("lines", ())]
                    if len(seen) >= 2:
                        break
            last = {"Last-Event-ID": seen[0]}
            assert seen[0] < seen[1], turn
        assert events["again"][0] == events[""][1]
        assert client.get(path, params=query, headers={"Last-Event-ID": "yesterday"}).status_code == 422
        for wrong in ({"tail": "100000"}, {"container": 'x"\r\ny: z'}, {"part": "redis"}):
            assert client.get(path, params={**query, **wrong}).status_code == 422
        assert client.get("/api/v1/stores/bikeshop/usage", params={"range": "day"}).json()["simulated"] is True


def test_the_stream_ends_with_the_store_and_goes_on_behind_the_last_event(served: Served, token: str) -> None:
    settled(served)
    with served.client(token) as client:
        assert client.post("/api/v1/stores", json={"name": "streamed"}).status_code == 202
        kinds, ids = [], []
        with client.stream("GET", "/api/v1/stores/streamed/events/stream") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            last = ""
            for line in stream.iter_lines():
                if line.startswith("id: "):
                    ids.append(int(line[4:]))
                if line.startswith("data: "):
                    last = json.loads(line[6:]).get("kind", "")
                    kinds.append(last)
                if last == "store.ready":
                    client_of_another = served.client(token)
                    with client_of_another:
                        client_of_another.delete("/api/v1/stores/streamed")
                    last = ""
        assert kinds[0] == "store.requested"
        assert ids == sorted(set(ids))
        assert kinds[-1] == ""  # event: gone
        assert client.get("/api/v1/stores/streamed").status_code == 404
        client.post("/api/v1/stores", json={"name": "streamed"})
        first = client.get("/api/v1/stores/streamed/events").json()["items"][0]["id"]
        assert first > max(ids)
        headers = {"Last-Event-ID": str(first)}
        with client.stream("GET", "/api/v1/stores/streamed/events/stream", headers=headers) as stream:
            seen = next(line for line in stream.iter_lines() if line.startswith("id: "))
            assert int(seen[4:]) > first
        client.delete("/api/v1/stores/streamed")


def test_people_are_managed_by_commands_as_well(served: Served) -> None:
    def done(*arguments: str) -> str:
        made = command(*arguments, **served.settings)
        assert made.returncode == 0, made.stderr
        return made.stdout

    link = done("user", "invite", "Vera@Example.com").split()[-1]
    assert "/invitation?token=" in link
    with served.client() as client:
        account = {"token": link.partition("token=")[2], "password": PASSWORD}
        assert client.post("/invitation", data=account).status_code == 303
        assert client.get("/api/v1/me").json()["email"] == "vera@example.com"
        assert "1 session " in done("user", "sign-out", "vera@example.com")
        assert client.get("/api/v1/me").status_code == 401
    link = done("user", "reset", "vera@example.com").split()[-1]
    with served.client() as client:
        chosen = {"token": link.partition("token=")[2], "password": f"{PASSWORD} again"}
        assert client.post("/password", data=chosen).status_code == 303
        assert client.get("/api/v1/me").json()["email"] == "vera@example.com"
    wish = ("--scope", "read", "--days", "3", "--name", "ci\x1b[2J")
    made = done("token", "create", "--user", "vera@example.com", *wish)
    with served.client(made.split()[-1]) as client:
        assert client.get("/api/v1/me").json()["scope"] == "read"
        assert client.post("/api/v1/stores", json={"name": "shop"}).status_code == 403
        listed = done("token", "list", "--user", "vera@example.com")
        assert "\x1b" not in listed
        assert made.split()[-1] not in listed
        done("token", "revoke", listed.splitlines()[1].split()[0])
        assert client.get("/api/v1/me").status_code == 401
    done("user", "role", "vera@example.com", "admin")
    done("user", "disable", "vera@example.com")
    rows = {line.split()[0]: line.split()[1:3] for line in done("user", "list").splitlines()}
    assert rows["vera@example.com"] == ["admin", "disabled"]
    last = command("user", "disable", EMAIL, **served.settings)
    assert (last.returncode, "the only administrator" in last.stderr) == (1, True)


def test_commands_work_beside_it(served: Served) -> None:
    made = process("user", "create", "Carla@Example.com", **served.settings)
    assert made.returncode == 0
    assert "carla@example.com can sign in now." in made.stdout
    password = made.stdout.split()[-1]
    with served.client() as client:
        assert client.post("/sign-in", data={"email": "carla@example.com", "password": password}).status_code == 303
    token = command("token", "create", "--user", "carla@example.com", **served.settings).stdout.split()[-1]
    with served.client(token) as client:
        me = client.get("/api/v1/me").json()
        assert (me["email"], me["admin"]) == ("carla@example.com", False)
        assert client.get("/api/v1/stores").json() == {"items": [], "next": None}
    for arguments, says in (
        (("user", "create", "carla@example.com"), "There is an account"),
        (("token", "create", "--user", "nobody@example.com"), "There is no user"),
        (("user", "limit", "nobody@example.com", "3"), "There is no account"),
        (("user", "reset", "nobody@example.com"), "There is no account"),
    ):
        refused(*arguments, status=1, says=says, **served.settings)
    for number, left in (("0", 0), ("7", 7), ("default", 5)):
        assert command("user", "limit", "carla@example.com", number, **served.settings).returncode == 0
        with served.client(token) as client:
            assert client.get("/api/v1/me").json()["limits"]["stores"] == {"of": left, "left": left}
    assert command("user", "limit", "carla@example.com", "many", **served.settings).returncode == 2


def test_a_second_process_on_the_same_database_is_refused(served: Served) -> None:
    refused("serve", "--sandbox", "--port", "0", status=1, says="serves on the database", **served.settings)


def test_a_port_in_use_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
        sentence = refused(
            "serve", "--sandbox", "--port", port, status=1, says=f"port {port}", STOREFLEET_DATA_DIR=str(tmp_path / "d")
        )
    assert "--port" in sentence
    assert not (tmp_path / "d").exists()


def test_files_are_for_their_owner_only(served: Served) -> None:
    data = served.folder / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600


def test_every_answer_carries_the_browsers_orders(served: Served) -> None:
    with served.client() as client:
        for path in ("/sign-in", "/api/v1/me", "/healthz", "/nothing"):
            headers = client.get(path).headers
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"


# Starting and stopping


def test_it_stops_cleanly_with_a_stream_open_and_finds_everything_again(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    served = Served(tmp_path, STOREFLEET_ADMIN_EMAIL="", STOREFLEET_ADMIN_PASSWORD="").start()
    request.addfinalizer(served.stop)
    invitation = next(line for line in served.lines() if "/setup?token=" in line)
    link = invitation.split()[-1]
    assert link.startswith(served.url)
    with served.client() as client:
        assert client.get(link).status_code == 200
        proof = link.partition("token=")[2]
        account = {"token": proof, "email": EMAIL, "password": PASSWORD}
        assert client.post("/setup", data={**account, "password": "short"}).status_code == 422
        assert client.post("/setup", data=account).status_code == 303
        assert client.get("/").status_code == 200
        assert client.post("/setup", data=account).status_code == 403
        assert client.get(link).headers["location"] == "/sign-in"
    settled(served)
    with served.client(served.token()) as client:
        client.post("/api/v1/stores", json={"name": "bikeshop"})
        with client.stream("GET", "/api/v1/stores/bikeshop/events/stream") as stream:
            lines = stream.iter_lines()
            next(lines)
            began = time.monotonic()
            assert served.stop() == 0
            assert time.monotonic() - began < 10
            assert "event: gone" not in list(lines)
    log = served.log.read_text()
    assert "Traceback" not in log
    assert "destroyed" not in log
    assert not any('"level": "error"' in line for line in log.splitlines()), log

    served.start()
    assert sum("/setup?token=" in line for line in served.lines()) == 1
    with served.client(served.token()) as client:
        for _ in range(300):
            store = client.get("/api/v1/stores/bikeshop").json()
            if store["state"] == "READY":
                break
            time.sleep(0.1)
        assert store["state"] == "READY", (store, served.log.read_text()[-3000:])
    served.process.send_signal(signal.SIGINT)  # type: ignore[union-attr]
    assert served.process.wait(20) == 0  # type: ignore[union-attr]


def test_a_cluster_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    config = tmp_path / "kubeconfig"
    config.write_text(a_kubeconfig(f"http://127.0.0.1:{port}"))
    served = Served(tmp_path, "--kubeconfig", str(config)).start()
    try:
        with served.client(served.token()) as client:
            assert client.get("/sign-in", headers={"Authorization": ""}).status_code == 200
            assert client.post("/api/v1/stores", json={"name": "bikeshop"}).json()["state"] == "REQUESTED"
            time.sleep(2)
            assert client.get("/readyz").json()["checks"]["cluster"] in ("connecting", "away")
            assert client.get("/api/v1/stores/bikeshop").json()["state"] == "REQUESTED"
    finally:
        assert served.stop() == 0
    assert "Traceback" not in served.log.read_text()


# What cannot work


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    says = "/nowhere/kubeconfig (from --kubeconfig) cannot be read: No such file"
    arguments = ("serve", "--port", "0", "--kubeconfig", "/nowhere/kubeconfig")
    refused(*arguments, status=2, says=says, STOREFLEET_DATA_DIR=str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value", "status", "says"),
    [
        ("STORE_URL", "http://shops.example.com", 2, "STOREFLEET_STORE_URL needs {name} once"),
        ("DATABASE_URL", "sqlite+aiosqlite:////nowhere/x.db", 1, "/nowhere/x.db cannot be written: No such file"),
        ("DATABASE_URL", "postgresql+psycopg://me:hunter2@127.0.0.1:1/db", 1, "cannot be opened"),
        ("DATA_DIR", "/dev/null/data", 1, "The data folder /dev/null/data cannot be made"),
        ("ADMIN_PASSWORD", "short", 2, "at least 8"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, name: str, value: str, status: int, says: str) -> None:
    settings = {
        "STOREFLEET_DATA_DIR": str(tmp_path),
        "STOREFLEET_ADMIN_EMAIL": EMAIL,
        "STOREFLEET_ADMIN_PASSWORD": PASSWORD,
        f"STOREFLEET_{name}": value,
    }
    sentence = refused("serve", "--sandbox", "--port", "0", status=status, says=says, **settings)
    assert "hunter2" not in sentence


def test_a_database_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "storefleet.db").write_bytes(b"this is no database " * 100)
    says = "cannot be opened or written: file is not a database"
    refused("serve", "--sandbox", "--port", "0", status=1, says=says, STOREFLEET_DATA_DIR=str(tmp_path))


def test_a_database_that_somebody_made_read_only(tmp_path: Path) -> None:
    assert command("user", "create", EMAIL, STOREFLEET_DATA_DIR=str(tmp_path)).returncode == 0
    url = f"sqlite+aiosqlite:///file:{tmp_path}/storefleet.db?mode=ro&uri=true"
    refused(
        "user",
        "create",
        "b@example.com",
        status=1,
        says="readonly",
        STOREFLEET_DATABASE_URL=url,
        STOREFLEET_DATA_DIR=str(tmp_path),
    )


def test_the_database_of_a_newer_version(tmp_path: Path) -> None:
    assert command("user", "create", EMAIL, STOREFLEET_DATA_DIR=str(tmp_path)).returncode == 0
    with sqlite3.connect(tmp_path / "storefleet.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    refused("user", "create", "b@example.com", status=1, says="newer version", STOREFLEET_DATA_DIR=str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "status", "says"),
    [
        ({}, 2, "STOREFLEET_TOKEN is not set"),
        ({"STOREFLEET_TOKEN": "sf_x", "STOREFLEET_URL": "http://127.0.0.1:1"}, 1, "no answer from http://127.0.0.1:1"),
        ({"STOREFLEET_TOKEN": "sf_x", "STOREFLEET_URL": "nowhere"}, 1, "no answer from"),
    ],
)
def test_stores_commands_that_reach_nobody(settings: dict[str, str], status: int, says: str) -> None:
    refused("stores", "list", status=status, says=says, **settings)


def test_stores_commands_with_a_wrong_token(served: Served) -> None:
    says = "The API token is not valid."
    refused("stores", "list", status=1, says=says, STOREFLEET_URL=served.url, STOREFLEET_TOKEN="sf_wrong")


def test_the_first_page_comes_soon(tmp_path: Path) -> None:
    """Three seconds are promised for a machine with nothing else to do; the processor's time tells whatever it does."""
    served = Served(tmp_path).start()
    try:
        with served.client() as client:
            assert client.get("/sign-in").is_success
        spent = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(")")[2].split()  # type: ignore[union-attr]
        assert (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK") < 6
    finally:
        served.stop()


def test_orphans_are_listed_and_cleaned_by_their_id(served: Served, token: str) -> None:
    settled(served)
    there = {"STOREFLEET_URL": served.url, "STOREFLEET_TOKEN": token}
    assert command("orphans", "list", **there).stdout == "No orphans.\n"
    assert command("orphans", "clean", "--all", **there).stdout == "No orphans.\n"
    assert json.loads(command("orphans", "list", "--json", **there).stdout) == []
    refused("orphans", "clean", "x", status=1, says="There is no such orphan.", **there)
    refused("orphans", "clean", status=2, says="Say which", **there)
