"""The map page: whole HTML that asks nobody for anything, with every route, closure and word on it."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.network import Network
from geo.routing.costs import static_costs
from geo.routing.search import Place, SearchSpace
from models.pictures.map_page import map_page
from models.pictures.map_picture import colour, compact
from models.routes.exports import describe
from models.routes.planning import Wish
from models.routes.proposals import network_at, propose, yardstick
from tests.geo.naive_city import lattice_city

NASTY = 'Rosen & "Söhne" </script><b onclick=x>'
CITY = replace(lattice_city(4), names=(NASTY,))
CITY = replace(CITY, name=np.zeros(CITY.edge_count, np.int32))
SPACE = SearchSpace(CITY)
HOME = Place(int(CITY.first_out[20 * 40 + 20]), 0.4)
AWAY = Place(int(CITY.first_out[32 * 40 + 6]), 0.7)
WAY, LOOP, NOWHERE = (
    Wish("to", HOME, AWAY, None, None, {}),
    Wish("loop", HOME, None, 2500.0, None, {}),
    Wish("to", HOME, HOME, None, None, {}),
)
NO_EDGES = np.zeros(0, np.int32)
AT = [float(CITY.node_lon[20 * 40 + 22]), float(CITY.node_lat[20 * 40 + 22])]
RING = [[AT[0] + x / 1000, AT[1] + y / 1000] for x, y in ((0, 0), (2, 0), (2, 1), (0, 1), (0, 0))]
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Elements with their attributes and words; fails where an element is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words, self.text = [], [], [], text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, tag, **attrs):
        return [a for t, a in self.elements if t == tag and all(a.get(k) == v for k, v in attrs.items())]

    def of_class(self, name):
        return [a for _, a in self.elements if name in a.get("class", "").split()]


def page_of(wish, closures=(), closed=NO_EDGES, count=3, title="Three loops", subtitle="noon"):
    network = network_at(CITY, 1.75e9, closed) if len(closed) else Network(CITY, static_costs(CITY))
    proposals = propose(network, wish, HOME, count=count, space=SPACE)
    found = describe(CITY, proposals, yardstick(network, wish, HOME, proposals, space=SPACE))
    return Page(
        map_page(CITY, found, title=title, subtitle=subtitle, closures=closures, closed=closed)
    ), found


@pytest.mark.parametrize("wish", [WAY, LOOP, NOWHERE])
def test_every_route_has_a_line_a_colour_and_a_card(wish):
    page, found = page_of(wish)
    routes = page.of_class("route")
    assert [int(route["data-route"]) for route in routes] == [one.number for one in reversed(found)]
    assert len({route["style"] for route in routes}) == len(found)
    assert (
        len(page.of_class("way")) == len(page.of_class("case")) == len(page.of_class("badge")) == len(found)
    )
    assert [int(button["data-route"]) for button in page.all("button") if "data-route" in button] == [
        one.number for one in found
    ]
    text = " ".join(page.words)
    for one in found:
        assert text.count(one.why) >= 2  # in its card, and in the words for who cannot see the picture
        assert f"{one.planned.impedance / 60:.0f} min" in text
    assert len(page.of_class("quickest")) == (2 if wish.kind == "to" else 0)  # the line and its key


def test_nothing_is_loaded_from_anywhere():
    page, _ = page_of(WAY)
    for tag, attrs in page.elements:
        assert "src" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        if "href" in attrs:
            assert attrs["href"] == "data:," or tag == "a"
    urls = set(re.findall(r"https?://[^\"'\s<)]+", page.text))
    assert urls == {"http://www.w3.org/2000/svg", "https://www.openstreetmap.org/copyright"}
    assert "url(" not in page.text
    assert "@import" not in page.text
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_it_can_be_read_without_eyes_and_on_a_phone():
    page, found = page_of(LOOP, title="3 loops of 2.5 km")
    assert page.all("html", lang="en")
    assert page.all("meta", name="viewport")
    (svg,) = [a for a in page.all("svg") if a.get("role") == "img"]
    ids = svg["aria-labelledby"].split()
    assert all([a for _, a in page.elements if a.get("id") == one] for one in ids)
    text = " ".join(page.words)
    assert text.count("3 loops of 2.5 km") >= 3  # the page's title, its heading, the picture's text
    assert all(a.get("aria-label") or a.get("data-route") for a in page.all("button"))
    assert all(a.get("aria-hidden") == "true" for a in page.all("svg") if a is not svg)
    assert len(page.all("th", scope="row")) >= 3 * len(found)
    assert "prefers-color-scheme:dark" in page.text
    assert "© OpenStreetMap contributors" in text


def test_words_of_the_map_cannot_break_the_page():
    page, _ = page_of(WAY, title=f"To {NASTY}", subtitle=NASTY)
    assert not page.all("b", onclick="x")
    assert len(page.all("script")) == 1
    assert f"Via {NASTY}." in "".join(page.words)


def test_bars_tell_the_exposure_and_the_yardstick():
    page, found = page_of(WAY)
    widths = [a["style"] for a in page.all("span") if a.get("style", "").startswith("width")]
    marks = [a["style"] for a in page.all("i")]
    assert len(widths) == len(marks) == len(page.of_class("bar"))
    exposures = {f"width:{round(100 * value)}%" for value in found[0].planned.exposures.values()}
    assert widths[0] in exposures
    assert all(0 <= int(re.sub(r"\D", "", style)) <= 100 for style in widths + marks)


@pytest.mark.parametrize(
    ("geometry", "marks"),
    [
        ({"type": "Polygon", "coordinates": [RING]}, 1),
        ({"type": "MultiPolygon", "coordinates": [[RING], [RING]]}, 1),
        ({"type": "LineString", "coordinates": RING[:2]}, 0),
        ({"type": "MultiLineString", "coordinates": [RING[:2], RING[2:4]]}, 0),
        ({"type": "Point", "coordinates": AT}, 0),
        ({"type": "MultiPoint", "coordinates": RING[:2]}, 0),
        ({"type": "Polygon", "coordinates": [RING[:1]]}, 1),
    ],
)
def test_closures_are_drawn_as_they_are(geometry, marks):
    edge = int(CITY.first_out[20 * 40 + 22])
    page, _ = page_of(WAY, [geometry], np.array([edge], np.int32), count=1)
    areas = page.of_class("area")
    assert len(areas) == marks
    lines = len(page.of_class("closed"))
    assert lines >= 2  # the closed street and the key
    assert lines > 2 or marks
    for area in areas:
        assert area["d"].endswith("Z")
    assert "closed" in page.words


def test_nothing_closed_has_no_key():
    page, _ = page_of(WAY)
    assert not page.of_class("closed")


def test_the_same_proposals_give_the_same_bytes():
    assert page_of(LOOP)[0].text == page_of(LOOP)[0].text


def test_colours_come_round():
    assert [colour(n) for n in (1, 6, 7)] == ["--r1", "--r6", "--r1"]


def read_path(d):
    """Absolute points of the data that `compact` writes."""
    begin, steps = re.fullmatch(r"M(-?\d+ -?\d+)l([-\d ]+)", d).groups()
    numbers = [int(n) for n in re.findall(r"-?\d+", steps)]
    start = np.array([int(n) for n in begin.split()])
    return np.concatenate([[start], start + np.cumsum(np.reshape(numbers, (-1, 2)), axis=0)])


@given(st.lists(st.tuples(st.integers(-99999, 99999), st.integers(-99999, 99999)), min_size=1))
def test_compact_paths_lead_through_all_points(points):
    x, y = np.array(points, np.float64).T
    found = read_path(compact(x + 0.2, y - 0.2))
    wanted = [points[0]] + [b for a, b in itertools.pairwise(points) if a != b]
    if len(wanted) == 1:
        wanted = wanted * 2
    assert found.tolist() == [list(point) for point in wanted]
