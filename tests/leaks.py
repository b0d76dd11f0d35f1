"""Finds secrets where they must not be: as they are, and in the forms in which texts carry them."""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote


def forms(secret: str) -> set[bytes]:
    """The secret itself, URL-encoded, as hexadecimal digits, and in base64, wherever in a longer text it began."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), raw.hex().encode(), json.dumps(secret)[1:-1].encode()}
    for before in range(3):
        # The letters that depend on what stands before and behind are left out.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            letters = encode(b"\0" * before + raw)
            begin, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            found.add(letters[begin:end])
    return found


def leaks(secrets: Iterable[str], places: Mapping[str, bytes]) -> list[str]:
    """Where one of `secrets` is, by the names of `places`."""
    wanted = [form for secret in secrets for form in forms(secret)]
    return [place for place, content in places.items() if any(form in content for form in wanted)]


def files(folder: Path, *but: str) -> dict[str, bytes]:
    """The files below `folder`, as bytes, without those below the folders, or of the names, `but`."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in found if not set(path.relative_to(folder).parts) & set(but)}


def unpacked(release: Mapping[str, Any]) -> bytes:
    """What one of Helm's Secrets holds, in clear."""
    return gzip.decompress(base64.b64decode(base64.b64decode(release["data"]["release"])))
