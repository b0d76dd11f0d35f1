"""Kubernetes' quantities ("500m", "1Gi") as numbers.  Pure."""

import re
from typing import Any

_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18} | {
    f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)
}


def quantity(value: Any) -> float:
    """The number that a resource quantity such as `500m` or `1Gi` means.  Raises ValueError when it is none."""
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ValueError(f"{value!r} is no quantity")
    unit = match[2] or ""
    if unit[:1] in ("e", "E") and len(unit) > 1:
        return float(match[1] + unit)
    return float(match[1]) * _UNITS.get(unit, 1.0)
