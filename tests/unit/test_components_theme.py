"""The look's own rules: colours in one place and readable, every icon drawn, nothing asked of anybody else."""

import re

import pytest

from components import icons, theme

SOURCES = {
    path.relative_to(theme.HERE): path.read_text()
    for pattern in ("*.js", "*.py", "css/*.css", "templates/*.html")
    for path in theme.HERE.glob(pattern)
}
COLOUR = re.compile(r"(?<![\w&])#[0-9a-fA-F]{3,8}\b")
TOKEN = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")


def tokens() -> dict[str, tuple[str, str]]:
    return {name: (light, dark) for name, light, dark in TOKEN.findall((theme.HERE / "css/tokens.css").read_text())}


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((ink, ground) for ink in ("ink", "ink-2", "ink-3") for ground in ("card", "paper", "sunk")),
        *((each, f"{each}-soft") for each in ("ok", "busy", "warn", "bad", "idle", "brand")),
        *((each, "card") for each in ("ok", "busy", "warn", "bad", "brand")),
        ("brand-ink", "brand"),
        ("brand-ink", "brand-hover"),
        ("bad-solid-ink", "bad-solid"),
    ],
)
def test_text_is_readable(text: str, ground: str, side: int):
    assert contrast(tokens()[text][side], tokens()[ground][side]) >= 4.5


def test_colours_are_named_in_one_place():
    elsewhere = {
        str(path): COLOUR.findall(source)
        for path, source in SOURCES.items()
        if path.name not in ("tokens.css", "icons.py") and COLOUR.search(source)
    }
    assert elsewhere == {}


def test_every_token_that_is_used_is_defined():
    css = theme.style()
    defined = set(re.findall(r"(--[\w-]+):", css))
    used = {name for source in (css, *SOURCES.values()) for name in re.findall(r"var\((--[\w-]+)", source)}
    assert used <= defined


def test_every_icon_that_is_used_is_drawn():
    drawn = set(re.findall(r'\[data-icon="([\w-]+)"\]', icons.css()))
    used = {name for source in SOURCES.values() for name in re.findall(r'(?<!:)data-icon="([\w-]+)"', source)}
    assert used <= drawn


def test_nothing_is_asked_of_anybody_else():
    elsewhere = re.compile(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.-]+\.\w{2,}")
    for path, source in SOURCES.items():
        code = re.sub(r"^\s*//.*$", "", source, flags=re.MULTILINE)
        assert not elsewhere.search(code), path


def test_an_asset_has_another_address_once_it_is_another():
    assert theme.address("storefleet.css") != theme.address("storefleet.js")
    assert re.fullmatch(r"/assets/[0-9a-f]{12}/storefleet\.css", theme.address("storefleet.css"))
