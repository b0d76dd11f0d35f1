"""Asks pip-audit whether anything that we are made of has a known vulnerability.

    python .ci/audit_dependencies.py requirements.lock

Exit status 1 when there is one, or when pip-audit itself fails.  Where its data cannot be reached it says so and
passes: a machine without a way out can still check everything else.  (pip-audit on its own calls that "No known
vulnerabilities found" where a mirror answers that it knows none of the packages.)  One package is asked for first, and
the others only if there is an answer.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

AWAY = re.compile(r"requests\.exceptions\.|Could not connect to PyPI|your network may be blocking|not redirecting")
PIN = re.compile(r"^([A-Za-z0-9._-]+(?:\[[^]]*\])?==[^\s;\\]+)", re.MULTILINE)


class Unreachable(Exception):
    """pip-audit's data is not to be had from here."""


def main(lock: Path) -> int:
    pins = PIN.findall(lock.read_text())
    try:
        for asked in (pins[:1], pins):
            found = verdict(run(asked))
    except Unreachable as error:
        print(
            f"pip-audit cannot reach its data from here, so {lock} was NOT checked for known vulnerabilities: {error}"
        )
        return 0
    for line in found:
        print(line, file=sys.stderr)
    print(f"{len(pins)} packages: {len(found) or 'no'} known vulnerabilities")
    return 1 if found else 0


def run(pins: list[str]) -> tuple[str, str]:
    """What pip-audit prints about `pins` on its two channels."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        command = ["pip-audit", "--requirement", file.name, "--disable-pip", "--no-deps", "--format", "json"]
        flags = ["--progress-spinner", "off", "--timeout", "10"]
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run([program, *command[1:], *flags], capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def verdict(said: tuple[str, str]) -> list[str]:
    """A line for each vulnerability.  Raises Unreachable; ValueError when pip-audit failed for another reason."""
    printed, complained = said
    try:
        packages: list[dict[str, Any]] = json.loads(printed)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        if AWAY.search(complained):
            raise Unreachable(complained.strip().splitlines()[-1][:300]) from error
        raise ValueError(f"pip-audit failed:\n{complained[-2000:]}") from error
    found = [
        f"{package['name']} {package['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'none'}"
        for package in packages
        for each in package.get("vulns", [])
    ]
    if not found and (skipped := [each["skip_reason"] for each in packages if "skip_reason" in each]):
        raise Unreachable(f"{len(skipped)} of {len(packages)} were not found: {skipped[0]}")
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
