"""How many bytes the arrays of a thing, or a process, take."""

from __future__ import annotations

import dataclasses

import numpy as np
import psutil


def array_bytes(thing: object) -> int:
    """The bytes of all arrays in a dataclass or a named tuple and what it holds; a shared one counts once."""
    return sum(array.nbytes for array in _arrays(thing).values())


def own_bytes(pid: int | None = None) -> int:
    """Resident memory of a process (this one) without mapped files; with them where that cannot be told."""
    memory = psutil.Process(pid).memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _arrays(thing: object) -> dict[int, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    if isinstance(thing, np.ndarray):
        return {id(thing): thing}
    if dataclasses.is_dataclass(thing):
        parts: list[object] = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    elif isinstance(thing, tuple):
        parts = list(thing)
    else:
        return {}
    found: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for part in parts:
        found |= _arrays(part)
    return found
