"""`storefleet serve` with the stores' chart of another time, in the folder TEST_CHARTS.  All else is the real thing."""

import os
import sys
from pathlib import Path

from app.cli import main
from provisioning import templates

if __name__ == "__main__":
    templates.CHARTS = Path(os.environ["TEST_CHARTS"])
    sys.exit(main())
