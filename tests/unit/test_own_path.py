"""Nobody is sent elsewhere by a link to us: `next` leads to a path of ours, whatever it says."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.sign_in import own_path

ATTACKS = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\x00/evil.example",
    "/\u00a0/evil.example",
    "\u2028//evil.example",
    " //evil.example",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    ".evil.example",
    "@evil.example",
    "?next=//evil.example",
    "/\udc80",
]


@pytest.mark.parametrize("target", ATTACKS)
def test_what_is_not_ours_leads_to_the_front_page(target: str):
    assert own_path(target) == "/"


@given(st.text(alphabet=st.sampled_from("/\\:.?#@ \t\r\nahtps%0"), max_size=12))
@example("/.//evil.example")
@example("/%2f/evil.example")
@example("/@evil.example")
def test_whatever_it_is_it_leads_to_us(target: str):
    path = own_path(target)
    assert path.startswith("/")
    # As a browser reads it: a backslash is a slash, tabs and line breaks are nothing.
    read = path.replace("\\", "/").translate({ord(each): None for each in "\t\r\n"})
    assert not read.startswith("//")
    assert urlsplit(read).netloc == ""


@pytest.mark.parametrize("target", ["/", "/stores/bikeshop?tab=1#x", "/stores/ä", "/a//b"])
def test_what_is_ours_stays(target: str):
    assert own_path(target) == target
