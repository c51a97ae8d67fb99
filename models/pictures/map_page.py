"""Proposals as one HTML page that needs nothing else: a map to pan and zoom, and each route in words.

The page asks the network for nothing, and forbids itself to. Without scripts it still shows everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from geo.graph import I32, Graph
from models.pictures.map_assets import SCRIPT, STYLE
from models.pictures.map_picture import Picture, colour
from models.routes.exports import ATTRIBUTION, TWICE_FROM_M, Described, amounts
from models.routes.reasons import Felt, most_felt, noun

_BARS = 6
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def map_page(
    graph: Graph,
    described: Sequence[Described],
    *,
    title: str,
    subtitle: str,
    closures: Sequence[Mapping[str, Any]],
    closed: I32,
) -> str:
    """The page for at least one proposal; closures: GeoJSON geometries, closed: edges, of a pair either."""
    text = f"{title}. " + " ".join(f"{one.title}. {one.why}" for one in described)
    picture = Picture(graph, described).svg(title, text, closures, closed)
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>\n</head>\n<body>",
            f"<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>",
            "<main>",
            f'<div class="map">\n{picture}\n{_CONTROLS}',
            f'<span class="source">{ATTRIBUTION}</span></div>',
            '<div class="list"><ol>',
            *(_card(one) for one in described),
            "</ol>",
            _key(described, len(closed) > 0 or len(closures) > 0),
            "</div>\n</main>",
            f'<footer>Map data <a href="https://www.openstreetmap.org/copyright">{ATTRIBUTION}</a>, '
            "ODbL 1.0. Planned by Flaneur.</footer>",
            f"<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


_CONTROLS = """<div class="zoom" hidden>
<button type="button" data-do="in" aria-label="Zoom in">+</button>
<button type="button" data-do="out" aria-label="Zoom out">−</button>
<button type="button" data-do="home" aria-label="Show all routes">⌂</button>
</div>
<span class="scale" hidden></span>"""


def _card(one: Described) -> str:
    planned = one.planned
    felt = f"feels like {planned.impedance / 60:.0f} min"
    twice_m = one.walked_twice_m
    notes = [felt] + ([f"{twice_m:.0f} m walked twice"] if twice_m >= TWICE_FROM_M else [])
    than = "the mark: the quickest way" if one.yard.path is not None else "the mark: the streets around"
    return "\n".join(
        [
            f'<li style="--c:var({colour(one.number)})">',
            f'<button type="button" aria-pressed="false" data-route="{one.number}"><b>{one.number}</b> '
            f"{amounts(planned.length_m, planned.duration_s)}</button>",
            f"<p>{escape(one.why)}</p>",
            f"<p>Via {escape(', '.join(one.via))}.</p>" if one.via else "",
            f"<p><small>{'; '.join(notes)}</small></p>",
            f"<table><caption>Share met along the way; {than}</caption><tbody>",
            *(_bar(row) for row in most_felt(planned, one.yard)[:_BARS]),
            "</tbody></table></li>",
        ]
    )


def _bar(row: Felt) -> str:
    here, usual = round(100 * row.exposure), round(100 * row.usual)
    likes = "liked" if row.weight < 0 else "avoided"
    return (
        f'<tr><th scope="row">{escape(noun(row.factor))}</th><td><div class="bar" aria-hidden="true" '
        f'title="{likes}, weight {row.weight:g}"><span style="width:{here}%"></span>'
        f'<i style="left:{usual}%"></i></div></td><td>{here} % <small>({usual} %)</small></td></tr>'
    )


def _key(described: Sequence[Described], closed: bool) -> str:
    items = [
        ('<path class="major" d="M2 8h34"/>', "main road"),
        ('<path class="minor" d="M2 8h34"/>', "street"),
        ('<path class="foot" d="M2 8h34"/>', "footway, path"),
        ('<path class="around green" d="M6 8h26" stroke-width="12"/>', "green around"),
        ('<path class="around water" d="M6 8h26" stroke-width="12"/>', "water near"),
    ]
    if described[0].yard.path is not None:
        items.append(('<path class="quickest" d="M2 8h34"/>', "quickest way"))
    if closed:
        items.append(('<path class="closed" d="M2 8h34"/>', "closed"))
    marks = "".join(
        f'<span><svg viewBox="0 0 38 16" aria-hidden="true">{mark}</svg>{words}</span>'
        for mark, words in items
    )
    return f'<div class="key">{marks}</div>'
