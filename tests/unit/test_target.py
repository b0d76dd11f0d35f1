"""Which cluster is taken, and that nobody's own kubeconfig is taken unasked."""

from pathlib import Path

import pytest

from app import target
from app.command_error import CommandError
from app.target import Target, choose, lease_namespace
from tests.unit.kubeconfigs import a_kubeconfig


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text(a_kubeconfig("https://127.0.0.1:1"))
    return file


def test_the_sandbox_when_nothing_is_named(tmp_path: Path, config: Path) -> None:
    (tmp_path / ".kube").mkdir()
    config.rename(tmp_path / ".kube" / "config")
    chosen = choose(environment={"HOME": str(tmp_path)})
    assert chosen.sandbox
    assert "simulated" in chosen.description


def test_flags_come_before_the_environment(config: Path) -> None:
    assert choose(sandbox=True, environment={"KUBECONFIG": "/nowhere"}).sandbox
    chosen = choose(kubeconfig=config, environment={"KUBECONFIG": "/nowhere"})
    assert (chosen.kubeconfig, chosen.context, chosen.sandbox) == (config, "here", False)


def test_kubeconfig_comes_before_the_pods_account(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "POD_ACCOUNT", config)  # a file that is there
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert choose(environment={**pod, "KUBECONFIG": str(config)}).kubeconfig == config
    chosen = choose(environment=pod)
    assert (chosen.kubeconfig, chosen.sandbox) == (None, False)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        ("", "is not a kubeconfig"),
        ("[", "is not a kubeconfig"),
        ("contexts: [{}]", "is not a kubeconfig"),
        ("kind: Config", "has no current context"),
        ("current-context: here", "has no context here; it has: none"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: str | None, says: str) -> None:
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CommandError, match=says) as refused:
        choose(kubeconfig=file, environment={})
    assert refused.value.status == 2
    assert str(file) in str(refused.value)


def test_contexts(config: Path) -> None:
    with pytest.raises(CommandError, match="has no context prod; it has: here"):
        choose(kubeconfig=config, context="prod", environment={})
    with pytest.raises(CommandError, match="--context needs a kubeconfig"):
        choose(context="prod", environment={})
    with pytest.raises(CommandError, match="names several files"):
        choose(environment={"KUBECONFIG": "/a:/b"})


def test_the_lease_is_with_us_where_we_run_in_the_cluster(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "namespace"
    monkeypatch.setattr(target, "POD_NAMESPACE", named)
    in_cluster = Target("Stores run in this cluster.")
    assert lease_namespace(in_cluster) == "default"
    named.write_text("storefleet-system\n")
    assert lease_namespace(in_cluster) == "storefleet-system"
    assert lease_namespace(choose(kubeconfig=config)) == "default", "our namespace need not be in another cluster"
    assert lease_namespace(choose(sandbox=True)) == "default"
