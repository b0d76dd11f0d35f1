"""What Helm is given to read and what is read of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.helm import cause, document


class TestCause:
    @pytest.mark.parametrize(
        ("stderr", "said"),
        [
            ("Error: release: not found\n", "release: not found"),
            (
                "I1124 01:02:03.000001 77 warnings.go:110] old\nWARNING: Kubernetes configuration file is readable\n"
                'level=WARN msg="slow"\ntime=2026-11-24T01:02:03Z level=ERROR msg="unable"\n'
                "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s):\nc:\n- at '/n': got\n\n",
                "UPGRADE FAILED: values don't meet the specifications of the schema(s): c: - at '/n': got",
            ),
            ("coalesce.go:237: warning: skipped value\nwords without a mark", "words without a mark"),
            (
                "fatal error: out of memory\n\ngoroutine 1 [running]:\nmain.main()",
                "Helm crashed: fatal error: out of memory",
            ),
            ("panic: runtime error: index\n\ngoroutine 1", "Helm crashed: panic: runtime error: index"),
            ("", ""),
            ("Error: " + "x" * 5000, "x" * 2000 + " …"),
        ],
    )
    def test_it_is_one_paragraph(self, stderr, said):
        assert cause(stderr) == said


class TestDocument:
    VALUES = st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ),
    )

    @settings(max_examples=50)
    @given(VALUES)
    def test_helm_reads_every_value_as_it_was(self, values):
        library = pytest.importorskip("helm_python", reason="Helm's library: pip install storefleet[helm]")
        assert library.values_from_yaml(document(values).decode()) == values

    def test_what_no_document_can_hold_is_refused(self):
        with pytest.raises(ValueError, match="JSON"):
            document({"number": float("nan")})
