"""Faults that happen to a worker under way: the right one survives them, those without a mechanism must not.

Each begins with a leg whose routes were asked for, and returns the moment from which recovery counts.
"""

from __future__ import annotations

import signal
import time

from models.records import TrafficReport, encode
from streams.kafka.topics import TRAFFIC_REPORTS
from tests.broker.deployment import Phone, wait_for
from tests.broker.drawn import T0
from tests.faults.day import SESSION_S, Day

COMMITTED_WITHIN_S = 3.0  # what is to be committed is, every second


def kill_at(day: Day, stage: str, call: int = 1) -> float:
    """kill -9 at a stage of the work."""
    worker = day.disturbed.worker()
    worker.arm(stage, "kill", call)
    day.walk()
    killed = worker.wait_killed(stage)
    day.restart()
    return killed


def lose_block(day: Day) -> float:
    """Faust drops a block that it has fetched."""
    worker = day.disturbed.worker()
    worker.arm("lost_block", "drop", 1)
    day.walk()
    return worker.wait_struck("lost_block")


def lose_checkpoint(day: Day) -> float:
    """The broker does not answer to a checkpoint, and the worker is killed before it may give up."""
    worker = day.disturbed.worker()
    worker.arm("checkpoint_lost", "lose", 1)
    day.walk()
    worker.wait_struck("checkpoint_lost")
    day.join()
    time.sleep(COMMITTED_WITHIN_S)  # what should not happen cannot be waited for
    worker.kill()
    killed = time.monotonic()
    worker.disarm()
    day.restart()
    return killed


def sleep_through_session(day: Day) -> float:
    """A process stands still just before a checkpoint; another takes over, and then it wakes up."""
    one, two = day.disturbed.worker(), day.disturbed.worker("two")
    one.arm("storing", "stop", 1)
    day.walk()
    one.wait_struck("storing")
    two.start().wait_ready()
    day.join()
    wait_for(lambda: day.disturbed.waiting() <= 0, day.patience_s, two.tail)
    one.arm("after_write")  # it should not come to that
    woken = time.monotonic()
    one.signal(signal.SIGCONT)
    wait_for(lambda: one.ended, 5 * SESSION_S, one.tail)
    one.disarm()
    two.kill()
    day.restart()
    return woken


def close_street(day: Day) -> float:
    """A street is closed; the worker is killed when the first of those concerned has heard of it."""
    worker = day.disturbed.worker()
    worker.arm("sent")
    line = {"type": "LineString", "coordinates": day.city.line("FG")}
    closure = TrafficReport(
        source=f"city#{day.number}", ts=T0 + 20, kind="closure", geometry=line,
        valid_from=T0, valid_to=T0 + 86_400,
    )  # fmt: skip
    for deployment in (day.disturbed, day.quiet):
        phone = Phone(deployment.settings)
        phone.queue(TRAFFIC_REPORTS, closure.source, encode(closure))
        phone.flush()
    killed = worker.wait_killed("sent")
    day.restart()
    day.wait_told("world_changed")
    day.walk()
    return killed
