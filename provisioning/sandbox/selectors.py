"""Label and field selectors: from their text, or from an object's `selector`, to a test of an object."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from provisioning.sandbox.errors import bad_request
from provisioning.sandbox.objects import Obj, labels_of

Labels = Mapping[str, str]
LabelTest = Callable[[Labels], bool]
ObjectTest = Callable[[Obj], bool]

_TERMS = re.compile(r",(?![^()]*\))")  # commas, but not those inside "in (a,b)"
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)")
_EQUAL = re.compile(r"([^!=\s]+)\s*(==|!=|=)\s*([^!=\s]*)")
_KEY = re.compile(r"!?\s*[A-Za-z0-9][-A-Za-z0-9_./]*")


def _label_term(term: str) -> LabelTest:
    if match := _SET.fullmatch(term):
        key, values, inside = match[1], {value.strip() for value in match[3].split(",")}, match[2] == "in"
        return lambda labels: (labels.get(key) in values) == inside
    if match := _EQUAL.fullmatch(term):
        key, value, equal = match[1], match[3], match[2] != "!="
        return lambda labels: (labels.get(key) == value) == equal
    if _KEY.fullmatch(term):
        key, wanted = term.lstrip("! "), not term.startswith("!")
        return lambda labels: (key in labels) == wanted
    raise bad_request(f"unable to parse requirement: found '{term}', expected: identifier, or a selector")


@lru_cache(maxsize=1024)
def label_selector(text: str) -> LabelTest:
    """Raises ApiError 400 when the text is no selector."""
    tests = [_label_term(term.strip()) for term in _TERMS.split(text) if term.strip()]
    return lambda labels: all(test(labels) for test in tests)


def _field(obj: Obj, path: list[str]) -> str:
    value: Any = obj
    for part in path:
        value = value.get(part, "") if isinstance(value, dict) else ""
    return "" if value is None else str(value)


@lru_cache(maxsize=1024)
def field_selector(text: str) -> ObjectTest:
    """Any path may be asked for.  Raises ApiError 400 when the text is no selector."""
    tests: list[ObjectTest] = []
    for term in filter(None, text.split(",")):
        match = _EQUAL.fullmatch(term)
        if match is None:
            raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
        path, value, equal = match[1].split("."), match[3], match[2] != "!="
        tests.append(lambda obj, path=path, value=value, equal=equal: (_field(obj, path) == value) == equal)  # type: ignore[misc]
    return lambda obj: all(test(obj) for test in tests)


def object_selector(labels: str, fields: str) -> ObjectTest | None:
    """Both selectors of a request in one test; None when everything is selected."""
    if not labels and not fields:
        return None
    by_labels, by_fields = label_selector(labels), field_selector(fields)
    return lambda obj: by_labels(labels_of(obj)) and by_fields(obj)


def selects(selector: Obj | None, labels: Labels) -> bool:
    """Whether a LabelSelector (matchLabels, matchExpressions) selects these labels; an absent one selects nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
        matches = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not matches.get(operator, False):
            return False
    return True
