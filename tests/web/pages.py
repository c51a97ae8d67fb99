"""A real Chromium, and a walker in it: geolocation that moves along lines, what was asked of whom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from geo.geodesy import METRES_PER_DEG, haversine_m
from geo.graph import F64
from geo.polyline import decode6

NAMES = ("chromium", "chromium-browser", "google-chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
ARGUMENTS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
)  # fmt: skip
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
WITHIN_MS = 30_000
COPENHAGEN = (55.6839, 12.5713)


def chromium() -> str:
    """The browser's program; AssertionError with what to do where there is none."""
    names = [os.environ.get("CHROMIUM", ""), *NAMES, MAC]
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    assert found, "no Chromium on this machine: run `make browser`, or set CHROMIUM to the one that you have"
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with nothing kept from earlier."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        try:
            yield launched
        finally:
            launched.close()


class Phone:
    """One person's page: everything that it asks for is noted, every error fails the test at the end."""

    def __init__(
        self,
        launched: Browser,
        url: str,
        *,
        size: dict[str, int] | None = None,
        dark: bool = False,
        language: str = "en-GB",
        at: tuple[float, float] | None = COPENHAGEN,
        still: bool = True,
        scale: float = 1.0,
    ) -> None:
        here: dict[str, Any] = (
            {} if at is None else {"geolocation": _place(*at), "permissions": ["geolocation"]}
        )
        self.context: BrowserContext = launched.new_context(
            viewport=size or PHONE,
            device_scale_factor=scale,
            locale=language,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
            base_url=url,
            **here,
        )
        self.url = url
        self.requested: list[str] = []
        self.errors: list[str] = []
        self.context.on("request", self._asked)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(WITHIN_MS)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda told: told.type == "error" and self.errors.append(told.text))

    def open(self, path: str = "/") -> Page:
        """Load a page of the gateway."""
        self.page.goto(path)
        return self.page

    def drawn(self, but: str | None = None) -> str:
        """Wait for a proposal on the map (another one than `but`); its id."""
        unlike = "" if but is None else f':not([data-drawn="{but}"])'
        self.page.wait_for_selector(f"body[data-drawn]{unlike}", state="attached")
        found = self.page.get_attribute("body", "data-drawn")
        assert found
        return found

    def be_at(self, lat: float, lon: float) -> None:
        """Move; the browser tells the page as it would on a phone."""
        self.context.set_geolocation(_place(lat, lon))

    def like(self) -> tuple[F64, F64]:
        """Begin to walk the proposed walk; the route's line once the navigator has it."""
        with self.page.expect_response(lambda r: "/v1/trips/" in r.url and r.ok) as told:
            self.page.click(".like")
        self.page.wait_for_selector("body[data-version]", state="attached")
        return decode6(told.value.json()["line"])

    def hosts(self) -> set[str]:
        """Whom the page (and its workers) asked for anything."""
        return {
            parts.netloc
            for text in self.requested
            if (parts := urlsplit(text)).scheme in ("http", "https", "ws", "wss")
        }

    def close(self) -> None:
        self.context.close()

    def _asked(self, request: Request) -> None:
        self.requested.append(request.url)


def along(lat: F64, lon: F64, metres: float) -> tuple[float, float]:
    """The place so far along a line."""
    done = np.concatenate([[0.0], np.cumsum(haversine_m(lat[:-1], lon[:-1], lat[1:], lon[1:]))])
    return float(np.interp(metres, done, lat)), float(np.interp(metres, done, lon))


def beside(place: tuple[float, float], north_m: float, east_m: float) -> tuple[float, float]:
    """A place some metres away."""
    lat, lon = place
    east_deg = east_m / METRES_PER_DEG / np.cos(np.radians(lat))
    return float(lat + north_m / METRES_PER_DEG), float(lon + east_deg)


def _place(lat: float, lon: float) -> dict[str, float]:
    return {"latitude": lat, "longitude": lon, "accuracy": 5.0}
