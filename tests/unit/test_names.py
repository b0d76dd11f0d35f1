"""Which names a store may have, and what is said of the others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import names


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Give the store a name"),
        ("a" * 64, "has 64 characters; at most 47"),
        ("a" * 48, "has 48 characters"),
        ("Shop", "lower-case"),
        ("-shop", "starts and ends with a letter or a digit"),
        ("shop-", "starts and ends with a letter or a digit"),
        ("sh op", "letters a to z"),
        ("shöp", "letters a to z"),
        ("shop.com", "letters a to z"),
        ("shop\n", "letters a to z"),
        ("<b>", "letters a to z"),
        ("店", "letters a to z"),
        ("admin", "reserved"),
        ("www", "reserved"),
    ],
)
def test_a_bad_name_is_told_what_to_change(name, says):
    assert says in names.problem(name)


@pytest.mark.parametrize("name", ["a", "7", "bikeshop", "atelier-nord", "a--b", "a" * 47])
def test_a_good_name_has_no_problem(name):
    assert names.problem(name) is None


@given(st.text(max_size=70))
def test_what_passes_is_a_dns_label_that_helm_takes(name):
    if names.problem(name) is None:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", names.namespace(name))
        assert len(names.namespace(name)) <= 53
