"""Keeps the pauses of a process that answers messages short."""

from __future__ import annotations

import gc
import sys

HANDED_ON_S = 0.001  # a thread that waits for the interpreter gets it after so long; Python's default is 5 ms


def keep_pauses_short() -> None:
    """To be called when a process has everything that it keeps: modules, settings, compiled kernels.

    The garbage collector looks at all of that again and again otherwise, some 100 ms each time, and finds
    nothing. A loop and the thread that fetches for it wait for each other many times a second.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(HANDED_ON_S)
