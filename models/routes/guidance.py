"""What a walker is told at each maneuver, in words: written, and spoken some way before it.

The words are tables, one file a language in `guidance_texts/`; nothing here knows a language except for
the plural rules. Names of streets stand as they are in the map, behind a colon where a language would
decline them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from xml.sax.saxutils import escape

import orjson

from geo.errors import BadInput
from geo.graph import Graph
from geo.guidance.maneuvers import Step
from geo.osm.foot_access import ROAD_CLASSES

SOON_M = 80.0  # a minute's walk before a maneuver it is announced
NOW_M = 20.0  # and once more when it is in sight
SOON_FROM_M = 150.0  # a shorter step has one announcement
GO_ON_FROM_M = 400.0  # a longer one begins with how long it is
THEN_M = 40.0  # a maneuver that follows so closely is told together with the one before it
_OWN_WORDS = ("steps", "escalator", "elevator", "ferry")


@dataclass(frozen=True, eq=False)
class Texts:
    """The words of one language, as in its file; docs/guidance.md says what each of them is."""

    language: str
    plural: str
    decimal: str
    compass: Sequence[str]
    modifiers: Mapping[str, str]
    ways: Mapping[str, Mapping[str, str]]
    instructions: Mapping[str, Mapping[str, str]]
    spoken: Mapping[str, str]
    distances: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Announcement:
    """What is said `before_m` metres before the next maneuver."""

    text: str
    before_m: float

    @property
    def ssml(self) -> str:
        return f"<speak>{escape(self.text)}</speak>"


@cache
def languages() -> tuple[str, ...]:
    """The languages that there are words for, as ISO 639 codes."""
    names = [file.name for file in files("models.routes").joinpath("guidance_texts").iterdir()]
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def texts_in(language: str) -> Texts:
    """The words of a language such as "ru" or "ru-RU"; raises BadInput where there are none."""
    code = language.replace("_", "-").split("-")[0].lower()
    if code not in languages():
        raise BadInput(f"there are no instructions in {language!r}; choose one of {', '.join(languages())}")
    return _read(code)


@cache
def _read(code: str) -> Texts:
    text = files("models.routes").joinpath("guidance_texts", f"{code}.json")
    return Texts(**orjson.loads(text.read_bytes()))


def instructions(texts: Texts, graph: Graph, steps: Sequence[Step], *, is_last_leg: bool = True) -> list[str]:
    """A sentence without a full stop for each step of a leg."""
    before: list[Step | None] = [None, *steps[:-1]]
    return [_instruction(texts, graph, b, s, is_last_leg) for b, s in zip(before, steps, strict=True)]


def announcements(
    texts: Texts, steps: Sequence[Step], told: Sequence[str], *, is_last_leg: bool = True
) -> list[list[Announcement]]:
    """What is said during each step of a leg, the first first; `told` are its `instructions`."""
    out = []
    for k, step in enumerate(steps):
        said = [Announcement(told[0], step.length_m)] if k == 0 else []
        if k + 1 == len(steps):
            out.append(said if len(steps) == 1 else [])
            continue
        following = steps[k + 1]
        if step.length_m >= GO_ON_FROM_M:
            go_on = texts.spoken["go on"].format(distance=spoken_distance(texts, step.length_m))
            # the depart instruction comes first and takes its time
            said.append(Announcement(go_on, step.length_m - (NOW_M if k == 0 else 0.0)))
        if step.length_m >= SOON_FROM_M and following.modifier != "straight":
            said.append(Announcement(_soon(texts, told[k + 1], following, is_last_leg), SOON_M))
        said.append(Announcement(_now(texts, told, steps, k + 1), min(NOW_M, step.length_m / 2)))
        out.append(said)
    return out


def _soon(texts: Texts, told: str, step: Step, is_last_leg: bool) -> str:
    key = "soon"
    if step.maneuver == "arrive":
        key = "soon arriving" if is_last_leg else "soon at waypoint"
    distance = spoken_distance(texts, SOON_M)
    return texts.spoken[key].format(distance=distance, instruction=_lower_first(told))


def _now(texts: Texts, told: Sequence[str], steps: Sequence[Step], k: int) -> str:
    """The instruction of step k, with that of the next one where it follows at once."""
    if k + 2 < len(steps) and steps[k].length_m < THEN_M:
        return texts.spoken["then"].format(first=told[k], second=_lower_first(told[k + 1]))
    return told[k]


def _instruction(texts: Texts, graph: Graph, before: Step | None, step: Step, is_last_leg: bool) -> str:
    street = graph.names[step.name] if step.name >= 0 else ""
    way = ROAD_CLASSES[step.road_class]
    forms = _forms(texts, step, way, is_last_leg)
    if street and "street" in forms:
        template = forms["street"]
    elif before is not None and "plain" in forms and before.name < 0 and before.road_class == step.road_class:
        template = forms["plain"]
    else:
        template = forms["way"]
    words = texts.ways.get(way, texts.ways["road"])
    sentence = template.format(
        street=street,
        modifier=texts.modifiers.get(step.modifier, ""),
        compass=texts.compass[round(step.bearing_after / 45.0) % 8],
        onto=words["onto"],
        along=words["along"],
    )
    return sentence[:1].upper() + sentence[1:]


def _forms(texts: Texts, step: Step, way: str, is_last_leg: bool) -> Mapping[str, str]:
    """The templates of a maneuver, the most special ones that the table has."""
    table = texts.instructions
    if step.maneuver == "arrive" and not is_last_leg:
        return table["waypoint"]
    if way in _OWN_WORDS and step.maneuver not in ("depart", "arrive"):
        turns = step.modifier not in ("straight", "") and f"{way} turn" in table
        return table[f"{way} turn" if turns else way]
    exact = f"{step.maneuver} {step.modifier}"
    return table[exact if exact in table else step.maneuver]


def spoken_distance(texts: Texts, length_m: float) -> str:
    """A length in words, rounded to what one can tell apart while walking."""
    if length_m < 995.0:
        grain = 10 if length_m < 97.5 else 50
        count = max(grain, round(length_m / grain) * grain)
        if count < 1000:
            return _counted(texts, texts.distances["metres"], str(count))
    km = f"{length_m / 1000.0:.1f}".removesuffix(".0")
    return _counted(texts, texts.distances["kilometres"], km)


def _counted(texts: Texts, forms: Mapping[str, str], number: str) -> str:
    form = forms[_PLURALS[texts.plural](number)]
    return form.format(n=number.replace(".", texts.decimal))


def _one_other(number: str) -> str:
    return "one" if number == "1" else "other"


def _one_few_many_other(number: str) -> str:
    if "." in number:
        return "other"
    tens, ones = divmod(int(number) % 100, 10)
    if ones == 1 and tens != 1:
        return "one"
    return "few" if 2 <= ones <= 4 and tens != 1 else "many"


# Plural categories of the Unicode CLDR, "Language Plural Rules", for numbers as they are written
_PLURALS: dict[str, Callable[[str], str]] = {
    "one-other": _one_other,
    "one-few-many-other": _one_few_many_other,
}


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
