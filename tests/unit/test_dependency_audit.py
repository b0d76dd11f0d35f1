"""`make lint` fails for a vulnerability, and only says so where nothing can be looked up."""

import json
import runpy
from pathlib import Path

import pytest

audit = runpy.run_path(str(Path(__file__).resolve().parents[2] / ".ci" / "audit_dependencies.py"))
verdict, Unreachable = audit["verdict"], audit["Unreachable"]

SOUND = {"name": "idna", "version": "3.10", "vulns": []}
VULNERABLE = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"], "aliases": [], "description": ""}],
}
UNKNOWN = {"name": "rich", "skip_reason": "Dependency not found on PyPI and could not be audited: rich (14.0)"}


def said(*packages: dict) -> tuple[str, str]:
    return json.dumps({"dependencies": packages, "fixes": []}), ""


def test_a_vulnerability_is_found_also_among_packages_that_could_not_be_looked_up():
    for others in ((), (SOUND,), (UNKNOWN,)):
        assert verdict(said(*others, VULNERABLE)) == ["jinja2 2.4.1: PYSEC-2014-8, mended in 2.7.2"]


def test_nothing_is_found_where_everything_was_looked_up():
    assert verdict(said(SOUND, SOUND)) == []


def test_what_was_not_looked_up_is_not_called_sound():
    with pytest.raises(Unreachable, match="1 of 2 were not found"):
        verdict(said(SOUND, UNKNOWN))


def test_no_way_out_is_told_from_a_failure():
    with pytest.raises(Unreachable, match="ProxyError"):
        verdict(("", "Traceback …\nrequests.exceptions.ProxyError: HTTPSConnectionPool: Max retries exceeded"))
    with pytest.raises(ValueError, match="invalid requirements input"):
        verdict(("", "ERROR:pip_audit._cli:invalid requirements input: x"))


def test_one_package_is_asked_for_before_all_are(monkeypatch, tmp_path, capsys):
    asked = []

    def run(pins: list[str]) -> tuple[str, str]:
        asked.append(pins)
        return said(UNKNOWN) if unreachable else said(VULNERABLE)

    monkeypatch.setitem(audit["main"].__globals__, "run", run)
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1 \\\n    --hash=sha256:0\n    # via b\nb[x]==2\nc==3 ; python_version < '3.13'\n")
    unreachable = True
    assert audit["main"](lock) == 0
    assert asked == [["a==1"]]
    assert "NOT checked" in capsys.readouterr().out
    unreachable = False
    assert audit["main"](lock) == 1
    assert asked[-1] == ["a==1", "b[x]==2", "c==3"]
