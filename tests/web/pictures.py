"""Takes the pictures of docs/web.md: `python -m tests.web.pictures docs [--only NAME]`.

Everything in them is real: a broker, a worker and a gateway of their own, the bundled cities, a browser whose
place moves along streets.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

from models.records import TrafficReport
from streams.kafka.topics import TRAFFIC_REPORTS
from tests.broker.deployment import Phone as Publisher
from tests.web.pages import DESKTOP, PHONE, Phone, along, beside, browser
from tests.web.stack import Running, alone

QUALITY = 72
SETTLE_MS = 2500  # until tiles and names are there
PARK = (55.6862, 12.5738)


def save(person: Phone, folder: Path, name: str, settle_ms: int = SETTLE_MS) -> None:
    """The page as it is, as WebP."""
    person.page.wait_for_timeout(settle_ms)
    file = folder / f"web-{name}.webp"
    devtools = person.context.new_cdp_session(person.page)
    shot = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    file.write_bytes(base64.b64decode(shot["data"]))
    print(f"{file} {file.stat().st_size / 1024:.0f} kB")


def proposing(launched: Browser, running: Running, folder: Path) -> None:
    """The proposal by day and by night, in English and Russian, on phone and desktop; what kind of walk."""
    for name, size, dark, language in (
        ("phone-light", PHONE, False, "en-GB"),
        ("phone-dark", PHONE, True, "ru-RU"),
        ("desktop-light", DESKTOP, False, "en-GB"),
        ("desktop-dark", DESKTOP, True, "en-GB"),
    ):
        scale = 1.5 if size is PHONE else 1.0
        person = Phone(launched, running.url, size=size, dark=dark, language=language, at=PARK, scale=scale)
        person.open()
        person.drawn()
        save(person, folder, name)
        if name == "phone-light":
            person.page.click(".wish")
            save(person, folder, "phone-taste", 600)
        person.close()


def walking(launched: Browser, running: Running, folder: Path) -> None:
    """The navigator, a closure ahead, the end."""
    for name, size, dark in (("walk-phone", PHONE, False), ("walk-desktop", DESKTOP, True)):
        scale = 1.5 if size is PHONE else 1.0
        person = Phone(launched, running.url, size=size, dark=dark, at=PARK, scale=scale)
        person.open()
        person.drawn()
        lat, lon = person.like()
        for metres in range(0, 60, 4):
            person.be_at(*along(lat, lon, metres))
            person.page.wait_for_timeout(400)
        if size is PHONE:
            save(person, folder, name)
        ahead = along(lat, lon, 420.0)
        now = time.time()
        corners = [beside(ahead, north, east) for north, east in ((-12, -12), (12, 12), (12, -12), (-12, 12))]
        points = [[lon, lat] for lat, lon in corners]
        report = TrafficReport(
            source=f"picture-{name}", ts=now, kind="closure", valid_from=now - 60.0, valid_to=now + 600.0,
            geometry={"type": "MultiLineString", "coordinates": [points[:2], points[2:]]},
        )  # fmt: skip
        Publisher(running.settings).send(TRAFFIC_REPORTS, report.source, report)
        person.page.wait_for_selector(".update:not([hidden]).world_changed")
        save(person, folder, f"update-{name.removeprefix('walk-')}", 2200)
        if size is PHONE:
            person.page.click(".end")
            person.page.click(".sure .danger")
            person.page.click(".star:nth-child(5)")
            save(person, folder, "arrived-phone", 1000)
        person.close()


def watching(launched: Browser, running: Running, folder: Path) -> None:
    """The operators' page, with a few people who walk."""
    operator = Phone(launched, running.url, size=DESKTOP)
    operator.open("/watch")
    people = []
    for north, east in ((0, 0), (500, 300), (-400, 500), (300, -600)):
        person = Phone(launched, running.url, at=beside(PARK, north, east))
        person.open()
        person.drawn()
        people.append((person, *person.like()))
    for metres in range(0, 80, 8):
        for person, lat, lon in people:
            person.be_at(*along(lat, lon, metres))
        people[0][0].page.wait_for_timeout(400)
    operator.page.wait_for_timeout(7000)
    person, lat, lon = people[1]
    person.page.click(".other")
    operator.page.wait_for_selector(".updates li.disliked")
    save(operator, folder, "watch", 1500)
    for person, *_ in people:
        person.close()
    operator.close()


SCENES: dict[str, Callable[[Browser, Running, Path], None]] = {
    "proposing": proposing,
    "walking": walking,
    "watching": watching,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=SCENES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, alone(Path(folder)) as running, browser() as launched:
        for name, scene in SCENES.items():
            if given.only in (None, name):
                scene(launched, running, given.folder)


if __name__ == "__main__":
    main()
