"""Writes a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from geo.errors import BadInput


def write_whole(path: Path, text: str) -> None:
    """Write aside and rename, so that a reader sees the old file or the new one.

    Raises BadInput where the file cannot be written; what was there is then as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
