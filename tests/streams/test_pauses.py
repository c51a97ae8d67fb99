"""The garbage collector leaves alone what a process keeps."""

from __future__ import annotations

import subprocess
import sys


def test_what_a_process_keeps_is_not_looked_at_again() -> None:
    # in a process of its own: it holds for the rest of one
    program = (
        "import gc, sys\n"
        "from streams.pauses import keep_pauses_short\n"
        "kept = len(gc.get_objects())\n"
        "keep_pauses_short()\n"
        "print(len(gc.get_objects()) < kept / 10, gc.get_freeze_count() > 0, sys.getswitchinterval())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "0.001"]
