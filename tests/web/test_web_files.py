"""What the built app must agree on with the rest of the project."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.web import DIST, read_files
from geo.routing.costs import FACTORS

WEB = Path(__file__).parents[2] / "web"


def test_the_usual_taste_is_the_usual_taste() -> None:
    usual = {factor.name: factor.default_weight for factor in FACTORS}
    tastes = orjson.loads((WEB / "src" / "tastes.json").read_bytes())
    for taste in tastes:
        for factor, (weight, most) in taste["factors"].items():
            assert weight == pytest.approx(usual[factor]), (taste["key"], factor)
            assert most * weight > 0
            assert abs(most) <= 10


def test_no_address_outside_and_no_address_in_the_lockfile() -> None:
    lock = orjson.loads((WEB / "package-lock.json").read_bytes())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    page = (DIST / "index.html").read_text()
    assert "http://" not in page
    assert "https://" not in page


def test_the_page_is_light() -> None:
    files = read_files(DIST)
    needed = [
        file for name, file in files.items() if not name.startswith(("demo/", "assets/watch", "icons/icon-5"))
    ]
    assert sum(len(file.bodies.get("gzip", file.bodies[""])) for file in needed) <= 500 * 1024


def test_assets_are_kept_for_ever_and_pages_are_not() -> None:
    files = read_files(DIST)
    assert (
        "immutable" in next(file for name, file in files.items() if name.startswith("assets/")).cache_control
    )
    assert files["index.html"].cache_control == files["sw.js"].cache_control == "no-cache"
