"""A disk of a few hundred megabytes in a file, so that it can be filled. Takes the right to mount (root)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.broker.own_process import wait_for


class SmallDisk:
    """An ext4 file system of its own, mounted at `at`."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._filler = at / "filler"

    @property
    def free(self) -> float:
        """The share that is free."""
        usage = shutil.disk_usage(self.at)
        return usage.free / usage.total

    def fill(self, leave: float = 0.0) -> None:
        """Write until no more than this share is free."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while self.free > leave:
                    file.write(b"\xff" * 262_144)
            except OSError:
                pass  # no space left: that was wanted

    def empty(self) -> None:
        """Take away what `fill` wrote."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, at: Path, size_mib: int) -> Iterator[SmallDisk]:
    """Make one of that size and mount it; AssertionError says what is missing."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(size_mib << 20)
    at.mkdir(parents=True)
    _run("mkfs.ext4", "-q", "-m", "0", image)
    _run("mount", "-o", "loop", image, at)
    try:
        yield SmallDisk(at)
    finally:
        # who had files there may not be quite gone
        wait_for(
            lambda: subprocess.run(["umount", at], capture_output=True).returncode == 0, 30, f"{at} is busy"
        )
        image.unlink()


def _run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} needs root and a loop device: {done.stderr.strip()}"
