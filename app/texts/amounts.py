"""How many and how long, for texts that have one form for one thing and another for many."""

MINUTES = ["{n} minute", "{n} minutes"]
MOMENT = "a moment"


def count(forms: list[str], n: int) -> str:
    """The form that fits `n`."""
    return forms[0 if n == 1 else 1].replace("{n}", str(n))
