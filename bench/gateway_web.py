"""`flaneur bench gateway-web`: how soon a first route is on the screen of somebody who never came before.

A real browser with nothing cached opens the page. `first_route_ms` is from the start of the navigation until
the route has been drawn on the map (the page's own mark), the median of the runs; the processor draws, no
graphics card. `page_kb` is what came over the wire of the app by then, headers included, without the map's
tiles, style and icons and without answers of the service.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from importlib.util import find_spec
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from bench.rig.gateway_process import GatewayProcess, gateway_settings
from bench.rig.session import Session
from bench.rig.worker import worker_settings
from gateway.web import DIST
from geo.errors import BadInput, Unavailable
from geo.graph import open_graph
from streams.kafka.topics import ensure_topics
from streams.settings import Settings

TARGETS = {"first_route_ms": 2_000.0, "page_kb": 500.0}
PHONE = {"width": 360, "height": 740}
WITHIN_MS = 60_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking")
DRAWING = (
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
NOT_OF_THE_PAGE = ("/map/", "/v1/", "/demo/")


@dataclass(frozen=True)
class WebJob:
    """How often the page is opened."""

    runs: int = 5
    partitions: int = 4

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise BadInput(f"runs is {self.runs}, it must be 1 or more")


@dataclass(frozen=True)
class Opened:
    """What the runs took."""

    first_route_ms: list[float]
    page_kb: float

    def rows(self) -> list[tuple[str, float, str]]:
        return [("first_route_ms", median(self.first_route_ms), "ms"), ("page_kb", self.page_kb, "kB")]


def run_gateway_web(job: WebJob, session: Session) -> None:
    """Open the page so often and report; raises Unavailable where there is no browser or no built app."""
    program = program_of_browser()
    base = worker_settings(session.scratch, session.graph_dir, job.partitions)
    ensure_topics(base)
    session.say(f"{job.runs} times the page with nothing cached")
    found = open_page(session, base, program, job.runs)
    rounded = [round(one) for one in found.first_route_ms]
    session.report(found.rows(), {"runs": job.runs, "first_route_ms": rounded, "targets": TARGETS})


def program_of_browser() -> str:
    """Where Chromium is; raises Unavailable where it, or what drives it, is not."""
    if find_spec("playwright") is None:
        raise Unavailable("playwright is not installed: run `make setup`")
    names = [os.environ.get("CHROMIUM", ""), *BROWSERS]
    program = next((path for name in names if name and (path := shutil.which(name))), None)
    if program is None:
        raise Unavailable("no Chromium on this machine: run `make browser`, or set CHROMIUM")
    return program


def open_page(session: Session, base: Settings, program: str, runs: int) -> Opened:
    """Open the page of a gateway of its own so often, after once to warm up; Unavailable if none is built."""
    from playwright.sync_api import sync_playwright

    if not (DIST / "index.html").is_file():
        raise Unavailable("the web app is not built: run `make web`")
    settings = replace(gateway_settings(base), gateway_planners=1)
    graph = open_graph(settings.graph_path)
    middle = graph.node_count // 2
    here = float(graph.node_lat[middle]), float(graph.node_lon[middle])
    with (
        GatewayProcess(settings, session.scratch.folder / "gateway.log") as gateway,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=[*OPTIONS, *DRAWING])
        try:
            found = [_open(browser, gateway.url, here) for _ in range(runs + 1)][1:]
        finally:
            browser.close()
    return Opened([drawn_ms for drawn_ms, _ in found], found[-1][1])


def _open(browser: Any, url: str, here: tuple[float, float]) -> tuple[float, float]:
    context = browser.new_context(
        viewport=PHONE,
        geolocation={"latitude": here[0], "longitude": here[1]},
        permissions=["geolocation"],
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("body[data-drawn]", state="attached", timeout=WITHIN_MS)
        drawn_ms = page.evaluate("performance.getEntriesByName('first-route')[0].startTime")
        loaded = page.evaluate(
            "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
            ".map((entry) => [entry.name, entry.transferSize])"
        )
        ours = [size for name, size in loaded if not urlsplit(name).path.startswith(NOT_OF_THE_PAGE)]
        return float(drawn_ms), sum(ours) / 1024.0
    finally:
        context.close()
