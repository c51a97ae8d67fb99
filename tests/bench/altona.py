"""Running `flaneur bench` on a small city."""

import subprocess
import sys
from pathlib import Path

ALTONA = Path(__file__).parents[2] / "data" / "osm" / "altona" / "altona.osm.pbf"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`flaneur bench` with these arguments, in a process of its own."""
    command = [sys.executable, "-m", "cli.main", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
