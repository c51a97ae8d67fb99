"""A person opens the page, dislikes, likes, walks: a real browser against a real deployment."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from geo.geodesy import haversine_m
from geo.graph import F64
from geo.polyline import decode6
from models.records import TrafficReport
from streams.kafka.topics import TRAFFIC_REPORTS
from tests.broker.deployment import Phone as Publisher
from tests.broker.gateways import Device
from tests.web.pages import DESKTOP, PHONE, Phone, along, beside
from tests.web.stack import Running

STEP_M = 6.0
MOST_STEPS = 60
UPDATE = ".update:not([hidden])"


def walk_until(person: Phone, places: list[tuple[float, float]], wanted: str) -> None:
    """Move on from place to place until something is to be seen."""
    for place in places[:MOST_STEPS]:
        person.be_at(*place)
        if person.page.wait_for_timeout(400) or person.page.query_selector(wanted):
            return
    person.page.wait_for_selector(wanted)


def elsewhere(running: Running, lat: F64, lon: F64, start_m: float) -> list[tuple[float, float]]:
    """Places along streets that lead away from a line: of the ways into eight directions the farthest off."""
    device, here = Device(running.gateway), along(lat, lon, start_m)
    ways = []
    for k in range(8):
        dest = beside(here, 220.0 * np.cos(k * np.pi / 4), 220.0 * np.sin(k * np.pi / 4))
        wish = {"kind": "to", "lat": here[0], "lon": here[1], "dest_lat": dest[0], "dest_lon": dest[1]}
        told = device.ask("POST", "/v1/routes", wish | {"propose": 1})
        if told.status != 200:
            continue  # no street there
        way = decode6(told.json["proposals"][0]["geometry"])
        places = [along(*way, metres) for metres in np.arange(0.0, 300.0, STEP_M)]
        off = [float(haversine_m(lat, lon, *place).min()) for place in places]
        ways.append((float(np.mean(off[8:25])), places))
    return max(ways)[1]


def share_in_common(a: str, b: str) -> float:
    """Which share of a line's points lies on another line."""
    (lat, lon), (other_lat, other_lon) = decode6(a), decode6(b)
    near = [float(haversine_m(other_lat, other_lon, *at).min()) < 1.0 for at in zip(lat, lon, strict=True)]
    return sum(near) / len(near)


def test_disliked_liked_walked_and_rated(phone: Callable[..., Phone], running: Running) -> None:
    me = phone()
    page = me.page
    with page.expect_response(lambda r: r.url.endswith("/v1/routes")) as first:
        me.open()
        shown = me.drawn()
    expect(page.locator(".panel .reasons li").first).to_be_visible()
    with page.expect_response(lambda r: r.url.endswith("/v1/routes")) as second:
        page.click(".dislike")
        page.click("[data-reason=too_loud]")
        me.drawn(but=shown)
    asked = second.value.request.post_data_json
    assert asked["avoid"] == [shown]
    assert asked["taste"]["noise"] > 1.0  # too loud: quiet streets matter more from now on
    one, other = (told.value.json()["proposals"][0]["geometry"] for told in (first, second))
    assert share_in_common(other, one) <= 0.6

    lat, lon = me.like()
    assert share_in_common(second.value.json()["proposals"][0]["geometry"], other) == 1.0
    for metres in range(0, 40, 5):
        me.be_at(*along(lat, lon, metres))
        page.wait_for_timeout(250)
    expect(page.locator(".banner .instruction")).not_to_have_text("")
    expect(page.locator(".banner .distance")).to_contain_text("m")
    expect(page.locator(".bar-row .figures strong")).to_contain_text("min")

    walk_until(me, elsewhere(running, lat, lon, 40.0), f"{UPDATE}.off_route")
    expect(page.locator(UPDATE)).to_contain_text("A new way from here")
    assert changed(page)[1] > 0  # a way that leads back to the old one takes nothing of it away

    page.click(".end")
    page.click(".sure .danger")
    with page.expect_response(lambda r: r.url.endswith("/v1/ratings")) as rated:
        page.click(".star:nth-child(4)")
    assert rated.value.status == 202
    assert rated.value.request.post_data_json["verdict"] == 4
    page.click("text=Another walk")
    me.drawn()


def test_a_closure_ahead_and_a_gateway_that_dies(phone: Callable[..., Phone], running: Running) -> None:
    me = phone()
    page = me.page
    me.open()
    me.drawn()
    lat, lon = me.like()
    for metres in range(0, 40, 5):
        me.be_at(*along(lat, lon, metres))
        page.wait_for_timeout(250)
    at = along(lat, lon, 330.0)
    close(running, at)
    page.wait_for_selector(f"{UPDATE}.world_changed.closed")
    expect(page.locator(UPDATE)).to_contain_text("A street is closed")
    old, added = changed(page)
    assert old > 0
    assert added > 0
    version = page.get_attribute("body", "data-version")

    places = elsewhere(running, lat, lon, 45.0)
    running.gateway.kill()
    try:
        page.wait_for_selector("body[data-connected=false]", state="attached")
        for place in places[:10]:
            me.be_at(*place)
            page.wait_for_timeout(250)
    finally:
        running.gateway.start().wait_ready()
    page.wait_for_selector("body[data-connected=true]", state="attached")
    walk_until(me, places[10:], f"{UPDATE}.off_route")
    assert page.get_attribute("body", "data-version") != version
    assert all("ERR_CONNECTION_REFUSED" in error or "WebSocket" in error for error in me.errors), me.errors
    me.errors.clear()  # while the gateway was away


def changed(page: Page) -> tuple[int, int]:
    """How many pieces of the old route and of the new one were drawn as what changed."""
    old, added = str(page.get_attribute("body", "data-changed")).split("/")
    return int(old), int(added)


def close(running: Running, at: tuple[float, float]) -> None:
    """The street at a place is closed for an hour."""
    now = time.time()
    south, north = beside(at, -12.0, -12.0), beside(at, 12.0, 12.0)
    west_east = [beside(at, 12.0, -12.0), beside(at, -12.0, 12.0)]
    lines = [[[south[1], south[0]], [north[1], north[0]]], [[p[1], p[0]] for p in west_east]]
    report = TrafficReport(
        source="test-closure",
        ts=now,
        kind="closure",
        geometry={"type": "MultiLineString", "coordinates": lines},
        valid_from=now - 60.0,
        valid_to=now + 3600.0,
    )
    Publisher(running.settings).send(TRAFFIC_REPORTS, report.source, report)


def test_the_recorded_walk_leaves_the_route(phone: Callable[..., Phone]) -> None:
    me = phone(at=None)
    me.open("/?demo=1&speed=6")
    me.drawn()
    me.like()
    me.page.wait_for_selector(f"{UPDATE}.off_route")
    assert changed(me.page)[1] > 0


def test_a_destination_by_keyboard(phone: Callable[..., Phone]) -> None:
    me = phone(size=DESKTOP)
    page = me.page
    me.open()
    shown = me.drawn()
    page.focus(".wish")
    page.keyboard.press("Enter")
    page.focus("input[name=kind][value=loop]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#where")).to_be_focused()
    page.keyboard.type("Rosenborg")
    expect(page.locator("#places li").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#places li[aria-selected=true] span").text_content()
    page.keyboard.press("Enter")
    expect(page.locator("#where")).to_have_value(str(chosen))
    page.focus("dialog [type=submit]")
    page.keyboard.press("Enter")
    me.drawn(but=shown)
    expect(page.locator(".eyebrow")).to_contain_text(f"To {chosen}")
    expect(page.locator(".eyebrow")).to_contain_text("There at")


def test_it_opens_without_a_network(phone: Callable[..., Phone]) -> None:
    me = phone()
    page = me.open()
    me.drawn()
    page.wait_for_selector("body[data-kept]", state="attached")
    me.context.set_offline(True)
    page.reload()
    expect(page.locator(".failure")).to_contain_text("cannot be reached")
    me.context.set_offline(False)
    page.click("text=Try again")
    me.drawn()
    me.errors.clear()  # of the requests that could not be sent


def test_operators_see_walkers_and_updates(phone: Callable[..., Phone]) -> None:
    operator, walker = phone(size=DESKTOP), phone()
    operator.open("/watch")
    walker.open()
    walker.drawn()
    lat, lon = walker.like()
    for metres in range(0, 60, 6):
        walker.be_at(*along(lat, lon, metres))
        walker.page.wait_for_timeout(250)
    expect(operator.page.locator(".updates li.requested").first).to_be_visible()
    expect(operator.page.locator(".count")).to_have_text(
        re.compile(r"[1-9]\d* walkers?")
    )  # and who just left


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_accessible_in_every_state(phone: Callable[..., Phone], axe: str, size: Any, dark: bool) -> None:
    me = phone(size=size, dark=dark, language="ru-RU" if dark else "en-GB")
    page = me.page
    me.open()
    me.drawn()
    found = {"proposal": violations(page, axe)}
    page.click("summary")
    page.click(".dislike")
    found["reasons"] = violations(page, axe)
    page.click(".dislike")
    page.click(".wish")
    page.check("input[name=kind][value=to]", force=True)
    found["plan"] = violations(page, axe)
    page.keyboard.press("Escape")
    page.click(".top .round")
    page.click("dialog .danger-text")
    found["settings"] = violations(page, axe)
    page.keyboard.press("Escape")
    lat, lon = me.like()
    me.be_at(*along(lat, lon, 5.0))
    expect(page.locator(".banner .distance")).not_to_be_empty()
    page.click(".end")
    found["walking"] = violations(page, axe)
    page.click(".sure .danger")
    page.click(".star:nth-child(5)")
    found["arrived"] = violations(page, axe)
    me.open("/watch")
    expect(page.locator(".areas button").first).to_be_visible()
    found["watch"] = violations(page, axe)
    assert {state: told for state, told in found.items() if told} == {}


def violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds, and whether anything sticks out at the side."""
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes']][:3]}"
        for one in result["violations"]
    ]
    wide = page.evaluate("""[...document.querySelectorAll('main *')].filter(
        (e) => !e.closest('#map, .unseen') && e.checkVisibility()
            && e.getBoundingClientRect().right > innerWidth + 1
    ).map((e) => e.outerHTML.slice(0, 160))""")
    return told + [f"sticks out: {one}" for one in wide[:3]]
