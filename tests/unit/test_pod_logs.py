"""Lines of a log: cut from pieces, harmless, without secrets, bounded."""

import pytest

from provisioning.cluster import ClusterError
from provisioning.pod_logs import LARGEST_LINE, LONGEST_LINE, Lines, LogLine, words

AT = "2026-01-02T12:00:00.123456789Z"


def lines(*pieces: bytes, secrets: tuple[str, ...] = ()) -> list[LogLine]:
    cut = Lines(secrets)
    return [line for piece in pieces for line in cut.feed(piece)] + cut.end()


def text(said: str, *secrets: str) -> str:
    (line,) = lines(f"{AT} {said}\n".encode(), secrets=secrets)
    assert line.at == AT
    return line.text


def test_pieces_may_end_anywhere():
    whole = f"{AT} one\n{AT} zwölf\n{AT} three".encode()
    expected = [LogLine(AT, "one"), LogLine(AT, "zwölf"), LogLine(AT, "three")]
    for size in (1, 3, 7, len(whole)):
        assert lines(*(whole[at : at + size] for at in range(0, len(whole), size))) == expected


def test_a_line_without_a_time_is_kept_whole():
    assert lines(b"failed to open the log\n\n") == [LogLine("", "failed to open the log"), LogLine("", "")]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("    at main (index.js:3)", "    at main (index.js:3)"),
        ("a\tb", "a    b"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("one\rtwo\x07\u202ethree", "one two  three"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # markup is text: the page shows it as such
        ("postgres://medusa:hunter22@postgres/medusa", "postgres://medusa:***@postgres/medusa"),
        ('{"password": "hunter22"}', '{"password": "***"}'),
        ("STATEMENT: ALTER ROLE x PASSWORD 'it''s one' VALID", "STATEMENT: ALTER ROLE x PASSWORD '***' VALID"),
        ("Authorization: Bearer   abcdef", "Authorization: Bearer   ***"),
    ],
)
def test_what_is_shown_of_a_line(said: str, shown: str):
    assert text(said) == shown


def test_a_stores_own_secrets_are_never_shown_whatever_stands_around_them():
    assert text("tried s3cr3t-value twice", "s3cr3t-value") == "tried *** twice"
    assert text("a short one stays", "a") == "a short one stays"
    assert text("outer-inner-value", "inner-value", "outer-inner-value") == "***"


def test_a_line_is_bounded_and_so_is_what_is_kept_of_one_without_an_end():
    assert len(text("x" * 10_000)) == LONGEST_LINE
    cut = Lines()
    for _ in range(20):
        assert cut.feed(b"x" * LARGEST_LINE) == []
    assert len(cut.end()[0].text) == LONGEST_LINE


def test_the_clusters_refusal_reads_as_a_sentence():
    assert words(ClusterError('container "c" is waiting to start: x', 400)) == 'Container "c" is waiting to start: x.'
