"""Records written ahead of the buckets: the walkers for whom something was decided, before they hear of it.

They lie beside the buckets in the changelog, under numbered names that are used again: once a checkpoint
that began later is delivered, all of these walkers are in younger buckets. Whatever comes later in the
changelog holds.
"""

from __future__ import annotations

from collections.abc import Collection

AHEAD = "ahead-"
MOST_WALKERS = 1_000  # in one record: a broker takes no message of any size


def holds_walkers(name: str) -> bool:
    """Whether a name in the walkers' changelog is that of walkers: a bucket, or a record ahead of one."""
    return name.isdecimal() or name.startswith(AHEAD)


class AheadRecords:
    """The names in use, and who is to be packed under those that are not written yet."""

    def __init__(self) -> None:
        self._devices: dict[str, frozenset[bytes]] = {}
        self._free: list[int] = []
        self._count = 0
        self._since: list[int] = []  # the last checkpoint began
        self._before: list[int] = []

    def seen(self, name: str) -> None:
        """A record of this name was read: it may be all that there is of its walkers."""
        number = int(name.removeprefix(AHEAD))
        self._free += range(self._count, number)
        self._count = max(self._count, number + 1)
        if number in self._free:
            self._free.remove(number)
        self._since.append(number)

    def add(self, devices: Collection[bytes]) -> set[str]:
        """Names for records of these walkers."""
        names = set()
        ordered = sorted(devices)
        for first in range(0, len(ordered), MOST_WALKERS):
            if self._free:
                number = self._free.pop()
            else:
                number = self._count
                self._count += 1
            self._since.append(number)
            name = f"{AHEAD}{number}"
            self._devices[name] = frozenset(ordered[first : first + MOST_WALKERS])
            names.add(name)
        return names

    def devices(self, name: str) -> frozenset[bytes]:
        """Who belongs in a record that is to be written now; nobody in one that was read."""
        return self._devices.pop(name, frozenset())

    def begin_checkpoint(self) -> None:
        """The buckets of all that was written so far are about to be stored."""
        self._before += self._since
        self._since = []

    def end_checkpoint(self) -> None:
        """They are."""
        self._free += self._before
        self._before = []
