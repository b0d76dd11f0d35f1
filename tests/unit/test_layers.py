"""app > components > provisioning: imports go downwards only."""

import subprocess
import sys
from pathlib import Path


def test_imports_go_downwards_only():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
