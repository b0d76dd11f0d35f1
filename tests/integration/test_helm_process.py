"""Helm as a process, with stand-ins for helm: how it is found, fed, answered, and ended whatever happens."""

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioning import helm
from provisioning.helm import Helm, HelmError

CHART = Path("chart")


def stand_in(folder: Path, program: str, name: str = "helm") -> tuple[str, ...]:
    """A command that runs `program` (Python)."""
    file = folder / name
    file.write_text(f"#!{sys.executable}\n" + textwrap.dedent(program))
    file.chmod(0o755)
    return (str(file),)


async def upgrade(
    command: tuple[str, ...], limit: float = 30, values: Mapping[str, Any] | None = None, **labels: str
) -> int:
    return await Helm(None, None, command).upgrade_install("r", "ns", CHART, values or {}, labels, limit)


def is_alive(pid: int) -> bool:
    """Does it run?  (One that nobody has reaped yet does not.)"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it is opened, or before it is read
        return False


async def written(file: Path) -> list[int]:
    """The process ids in `file`, once they are there."""
    await until(lambda: file.exists() and file.read_text().endswith("\n"))
    return [int(word) for word in file.read_text().split()]  # noqa: ASYNC240


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


class TestArguments:
    """What a helm is given and what is made of its answer."""

    @pytest.fixture
    def command(self, tmp_path: Path) -> tuple[str, ...]:
        program = f"""
            import json, os, sys
            given = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "input": sys.stdin.read()}}
            open({str(tmp_path / "given")!r}, "w").write(json.dumps(given))
            print("NAME: r\\nREVISION: 7\\nNOTES: REVISION: 8")
        """
        return stand_in(tmp_path, program)

    @pytest.fixture
    def given(self, tmp_path: Path) -> Callable[[], dict[str, Any]]:
        return lambda: json.loads((tmp_path / "given").read_text())

    async def test_the_revision_is_read(self, command):
        assert await upgrade(command) == 7

    async def test_values_are_on_standard_input_only(self, command, given):
        await upgrade(command, values={"name": "Anna's 🚲"})
        assert yaml.safe_load(given()["input"]) == {"name": "Anna's 🚲"}
        assert "Anna" not in json.dumps(given()["arguments"])
        assert "--values" in given()["arguments"]

    async def test_names_that_look_like_flags_are_names(self, command, given):
        await Helm(None, None, command).uninstall("--all", "ns", 30)
        assert given()["arguments"][-2:] == ["--", "--all"]

    async def test_cluster_and_context_are_named(self, command, given, tmp_path):
        await Helm(tmp_path / "config", "blue", command).uninstall("r", "ns", 30)
        line = " ".join(given()["arguments"])
        assert f"--kubeconfig {tmp_path / 'config'} --kube-context blue" in line
        assert "--namespace ns" in line

    async def test_helms_own_limit_comes_first(self, command, given):
        await upgrade(command, limit=60)
        assert "--timeout 48s" in " ".join(given()["arguments"])

    async def test_labels_are_one_line_of_comma_separated_values(self, command, given):
        await upgrade(command, a="b", c='d,"e')
        labels = given()["arguments"][given()["arguments"].index("--labels") + 1]
        assert labels == 'a=b,"c=d,""e"'

    async def test_no_secret_of_ours_is_passed_on(self, command, given, monkeypatch):
        monkeypatch.setenv("STOREFLEET_KEY", "secret")
        monkeypatch.setenv("PGPASSWORD", "secret")
        monkeypatch.setenv("HELM_DRIVER", "memory")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
        await upgrade(command)
        environment = given()["environment"]
        assert "secret" not in environment.values()
        assert "HELM_DRIVER" not in environment
        assert environment["HTTPS_PROXY"] == "http://proxy.example"

    async def test_nobodys_kubeconfig_is_taken_unasked(self, command, given, monkeypatch):
        monkeypatch.setenv("KUBECONFIG", "/home/somebody/production")
        await upgrade(command)
        assert given()["environment"]["KUBECONFIG"] == os.devnull
        assert "--kubeconfig" not in given()["arguments"]

    async def test_its_files_are_in_a_folder_that_goes_with_it(self, command, given):
        runner = Helm(None, None, command)
        await runner.uninstall("r", "ns", 30)
        folder = Path(given()["environment"]["HELM_CACHE_HOME"]).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        del runner
        assert not folder.exists()

    async def test_an_answer_without_a_revision_is_an_error(self, tmp_path):
        with pytest.raises(HelmError, match="which revision"):
            await upgrade(stand_in(tmp_path, "print('fine')"))


class TestEnding:
    """A helm ends, and what it started with it."""

    # Starts a child of its own, tells both process ids, and is deaf to SIGTERM where `deaf`.
    PROGRAM = """
        import os, signal, subprocess, sys, time
        if {deaf}:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit("Error: context canceled"))
        child = subprocess.Popen(["sleep", "600"])
        open({file!r}, "w").write(f"{{os.getpid()}} {{child.pid}}\\n")
        time.sleep(600)
    """

    @pytest.fixture(params=[False, True], ids=["polite", "deaf"])
    def command(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(helm, "GRACE", 1.0)
        return stand_in(tmp_path, self.PROGRAM.format(deaf=request.param, file=str(tmp_path / "pids")))

    async def test_at_its_time_limit(self, command, tmp_path):
        with pytest.raises(HelmError, match=r"^helm upgrade did not end within 1\.5 s and was stopped"):
            await upgrade(command, limit=1.5)
        for pid in await written(tmp_path / "pids"):
            await until(lambda pid=pid: not is_alive(pid))

    async def test_when_its_caller_is_cancelled_even_twice(self, command, tmp_path):
        task = asyncio.create_task(upgrade(command))
        pids = await written(tmp_path / "pids")
        task.cancel()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for pid in pids:
            await until(lambda pid=pid: not is_alive(pid))
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})  # who ends it closes its pipes

    async def test_when_its_caller_is_cancelled_before_the_caller_goes_on(self, tmp_path):
        program = f"""
            import os, time
            open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}}\\n")
            time.sleep(600)
        """
        task = asyncio.create_task(upgrade(stand_in(tmp_path, program)))
        pids = await written(tmp_path / "pids")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_alive(pids[0])

    async def test_one_that_is_done_when_it_is_told_to_end_has_done_it(self, tmp_path):
        program = """
            import signal, sys, time
            signal.signal(signal.SIGTERM, lambda *_: (print("REVISION: 3"), sys.exit(0)))
            time.sleep(600)
        """
        assert await upgrade(stand_in(tmp_path, program), limit=2) == 3

    async def test_the_loop_goes_on_meanwhile(self, tmp_path):
        command = stand_in(tmp_path, "import time; time.sleep(0.5); print('REVISION: 1')")
        running, turns = asyncio.create_task(upgrade(command)), 0
        while not running.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 10, "the loop stood still"

    async def test_one_that_does_not_read_and_says_much_neither_stalls_nor_fills_the_memory(self, tmp_path):
        program = """
            import sys
            for _ in range(300):
                sys.stdout.write("x" * 10_000)
                sys.stderr.write("y" * 10_000)
            sys.exit(1)
        """
        with pytest.raises(HelmError) as failure:
            await upgrade(stand_in(tmp_path, program), values={"text": "z" * 1_000_000})
        assert len(failure.value.stderr) == 256 * 1024
        assert len(str(failure.value)) < 2100

    async def test_one_that_is_killed_from_outside(self, tmp_path):
        program = f"import os, signal; os.kill(os.getpid(), {int(signal.SIGKILL)})"
        with pytest.raises(HelmError, match=r"helm upgrade was ended by SIGKILL \(perhaps memory ran out\)") as failure:
            await upgrade(stand_in(tmp_path, program))
        assert failure.value.returncode == -signal.SIGKILL

    async def test_one_that_has_just_started_has_all_its_values_whatever_becomes_of_us(self, tmp_path):
        command = stand_in(
            tmp_path, f"import sys; open({str(tmp_path / 'given')!r}, 'w').write(sys.stdin.read() + '\\n')"
        )
        killed = f"""
            import asyncio, os, signal
            from pathlib import Path
            from provisioning.helm import Helm

            start = asyncio.create_subprocess_exec

            async def killed_at_once(*arguments, **more):
                await start(*arguments, **more)
                os.kill(os.getpid(), signal.SIGKILL)

            asyncio.create_subprocess_exec = killed_at_once
            helm = Helm(None, None, {command!r}, Path({str(tmp_path / "locks")!r}))
            asyncio.run(helm.upgrade_install("r", "ns", Path("chart"), {{"name": "shop"}}, {{}}, 30))
        """
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", textwrap.dedent(killed))
        assert await process.wait() == -signal.SIGKILL
        await until(lambda: (tmp_path / "given").exists() and (tmp_path / "given").read_text().endswith("\n"))
        assert yaml.safe_load((tmp_path / "given").read_text()) == {"name": "shop"}

    async def test_one_that_says_nothing(self, tmp_path):
        with pytest.raises(HelmError, match="helm upgrade ended with status 3 and said nothing"):
            await upgrade(stand_in(tmp_path, "raise SystemExit(3)"))

    async def test_one_that_cannot_be_started(self):
        with pytest.raises(HelmError, match=r"helm cannot be started: .*no-such-helm"):
            await upgrade(("/no-such-helm",))


class TestFinding:
    """Which helm is run."""

    @pytest.fixture(autouse=True)
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    @pytest.fixture
    def no_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    async def test_helm_4_of_the_path(self, path):
        stand_in(path, "print('v4.9.1+g1234567')")
        assert await Helm(None, None).version() == "v4.9.1+g1234567"

    @pytest.mark.usefixtures("no_library")
    async def test_an_older_helm_is_refused_with_what_to_do(self, path):
        stand_in(path, "print('v3.17.0+g1234567')")
        with pytest.raises(HelmError, match=r"helm is Helm v3\.17\.0.*version 4.*storefleet\[helm\]"):
            await Helm(None, None).version()

    @pytest.mark.usefixtures("no_library")
    async def test_none_at_all(self):
        with pytest.raises(HelmError, match=r"^There is no Helm: put helm"):
            await Helm(None, None).version()

    async def test_else_the_library(self, path):
        pytest.importorskip("helm_python", reason="Helm's library: pip install storefleet[helm]")
        stand_in(path, "print('v3.17.0+g1234567')")
        with contextlib.chdir(path):  # it does not depend on where we are
            assert (await Helm(None, None).version()).startswith("v4.")
