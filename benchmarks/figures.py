"""How figures are printed: all of them, and the middle one."""

from collections.abc import Sequence
from statistics import median


def show(what: str, values: Sequence[float], unit: str = "s") -> None:
    """One line: the median, the range, each value."""
    each = " ".join(f"{value:.2f}" for value in values)
    print(f"{what:58} {median(values):7.2f} {unit}  ({min(values):.2f} to {max(values):.2f}: {each})", flush=True)


def ratios(what: str, ours: Sequence[float], others: Sequence[float]) -> None:
    """Ours against another, pair by pair, so that a machine that slows down does not count."""
    show(what, [one / other for one, other in zip(ours, others, strict=True)], unit=" ")
