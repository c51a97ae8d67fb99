"""Instructions in words: every language says everything, and numbers are counted as it counts them."""

from __future__ import annotations

import re
import string
from dataclasses import replace

import pytest

from geo.errors import BadInput
from geo.guidance.maneuvers import Step, leg_of
from geo.osm.foot_access import CLASS_CODE, ROAD_CLASSES
from models.routes.guidance import (
    Announcement,
    announcements,
    instructions,
    languages,
    spoken_distance,
    texts_in,
)
from tests.geo.asciimap import graph_from_ascii
from tests.geo.walked import walk

MODIFIERS = ("uturn", "sharp right", "right", "slight right", "straight", "slight left", "left", "sharp left")


def leaves(table, path=()):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def fields(template):
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_all_languages_have_the_same_texts_with_the_same_fields():
    assert languages() == ("de", "en", "ru")
    english = texts_in("en")
    for code in languages():
        texts = texts_in(code)
        assert texts.language == code
        assert len(texts.compass) == 8
        assert set(texts.modifiers) == set(MODIFIERS)
        assert set(texts.ways) == set(english.ways)
        assert all(set(words) == {"onto", "along"} for words in texts.ways.values())
        ours, theirs = dict(leaves(texts.instructions)), dict(leaves(english.instructions))
        assert set(ours) == set(theirs)
        for path, template in ours.items():
            # a field that tells the way may be {onto} in one language and {along} in another
            assert ("street" in fields(template)) == ("street" in fields(theirs[path])), path
            assert ("compass" in fields(template)) == ("compass" in fields(theirs[path])), path
            assert fields(template) <= {"street", "modifier", "compass", "onto", "along"}, path
            assert template == template.strip(), path
        assert {key: fields(value) for key, value in texts.spoken.items()} == {
            key: fields(value) for key, value in english.spoken.items()
        }
        assert set(texts.distances) == {"metres", "kilometres"}


@pytest.mark.parametrize("language", ["en", "ru", "de"])
def test_there_is_a_sentence_for_every_maneuver(language):
    graph, _ = graph_from_ascii("A---B", tags={"AB": {"highway": "residential", "name": "{Brace} Street"}})
    texts = texts_in(language)
    types = ("turn", "continue", "new name", "end of road", "notification")
    pairs = [(kind, modifier) for kind in types for modifier in MODIFIERS]
    pairs += [("fork", "slight left"), ("fork", "slight right"), ("fork", "straight"), ("depart", "")]
    pairs += [("arrive", modifier) for modifier in ("left", "right", "straight", "")]
    for kind, modifier in pairs:
        for road_class in range(len(ROAD_CLASSES)):
            for name in (-1, 0):
                step = Step(kind, modifier, 0, 1, name, road_class, 10.0, 10.0, 0, 350)
                for before in (step, replace(step, road_class=CLASS_CODE["primary"], name=0)):
                    _, told = instructions(texts, graph, [before, step])
                    assert re.fullmatch(r"\S+( \S+)*", told)
                    assert told[0].isupper()
                    assert ("{Brace} Street" in told) == (name == 0 and kind != "arrive"), told
                    assert "{" not in told.replace("{Brace} Street", "")


def test_the_same_walk_in_three_languages():
    map = """
        A---------B--------------------F
                  |
                  |
        C---------D---E---------G
    """
    tags = {
        "ABF": {"highway": "residential", "name": "улица Ленина"},
        "BD": {"highway": "residential", "name": "Садовая улица"},
        "DE": {"highway": "steps"},
        "*": {"highway": "footway"},
    }
    graph, at = graph_from_ascii(map, tags=tags)
    steps = leg_of(graph, walk(graph, at, "ABDEG")).steps
    assert instructions(texts_in("ru"), graph, steps) == [
        "Идите на восток: улица Ленина",
        "Поверните направо: Садовая улица",
        "Поверните налево и идите по лестнице",
        "Вы на месте",
    ]
    assert instructions(texts_in("en-GB"), graph, steps) == [
        "Head east on улица Ленина",
        "Turn right onto Садовая улица",
        "Turn left and take the stairs",
        "You have arrived",
    ]
    assert instructions(texts_in("de_AT"), graph, steps) == [
        "Nach Osten gehen: улица Ленина",
        "Rechts abbiegen: Садовая улица",
        "Links abbiegen und die Treppe nehmen",
        "Sie sind am Ziel",
    ]


def test_an_unknown_language_is_refused():
    with pytest.raises(BadInput, match="de, en, ru"):
        texts_in("fr")


@pytest.mark.parametrize(
    ("length_m", "en", "ru", "de"),
    [
        (3.0, "10 metres", "10 метров", "10 Metern"),
        (84.0, "80 metres", "80 метров", "80 Metern"),
        (97.6, "100 metres", "100 метров", "100 Metern"),
        (270.0, "250 metres", "250 метров", "250 Metern"),
        (990.0, "1 kilometre", "1 километр", "1 Kilometer"),
        (1010.0, "1 kilometre", "1 километр", "1 Kilometer"),
        (1450.0, "1.4 kilometres", "1,4 километра", "1,4 Kilometern"),
        (2040.0, "2 kilometres", "2 километра", "2 Kilometern"),
        (5000.0, "5 kilometres", "5 километров", "5 Kilometern"),
        (11000.0, "11 kilometres", "11 километров", "11 Kilometern"),
        (21000.0, "21 kilometres", "21 километр", "21 Kilometern"),
        (112000.0, "112 kilometres", "112 километров", "112 Kilometern"),
        (122000.0, "122 kilometres", "122 километра", "122 Kilometern"),
    ],
)
def test_distances_are_counted_as_the_language_counts(length_m, en, ru, de):
    found = [spoken_distance(texts_in(language), length_m) for language in ("en", "ru", "de")]
    assert found == [en, ru, de]


def steps_of(*lengths):
    kinds = ["depart", *["turn"] * (len(lengths) - 1), "arrive"]
    return [
        Step(kind, "left" if kind == "turn" else "", 0, 0, -1, 0, length, length, 0, 0)
        for kind, length in zip(kinds, [*lengths, 0.0], strict=True)
    ]


def said(*lengths, language="en", **options):
    steps = steps_of(*lengths)
    told = [f"Do {k}" for k in range(len(steps))]
    return [
        [(words.text, words.before_m) for words in step]
        for step in announcements(texts_in(language), steps, told, **options)
    ]


def test_a_long_step_is_announced_at_once_some_way_before_and_in_sight():
    assert said(200.0, 500.0) == [
        [("Do 0", 200.0), ("In 80 metres, do 1", 80.0), ("Do 1", 20.0)],
        [("Go on for 500 metres", 500.0), ("In 80 metres, you will be there", 80.0), ("Do 2", 20.0)],
        [],
    ]
    assert said(200.0, 500.0, language="ru")[1][:2] == [
        ("Идите дальше 500 метров", 500.0),
        ("Через 80 метров вы будете на месте", 80.0),
    ]


def test_what_leads_straight_on_is_announced_in_sight_only():
    depart, turn, arrive = steps_of(200.0, 100.0)
    steps = [depart, replace(turn, maneuver="new name", modifier="straight"), arrive]
    found = announcements(texts_in("en"), steps, ["Do 0", "Do 1", "Do 2"])
    assert [words.text for words in found[0]] == ["Do 0", "Do 1"]


def test_a_short_step_has_one_announcement_and_is_told_with_the_one_before():
    assert said(100.0, 30.0, 100.0) == [
        [("Do 0", 100.0), ("Do 1, then do 2", 20.0)],
        [("Do 2", 15.0)],
        [("Do 3", 20.0)],
        [],
    ]


def test_a_stop_on_the_way_is_not_the_end():
    assert said(200.0, is_last_leg=False)[0][1] == ("In 80 metres, you will reach a stop of your walk", 80.0)


def test_names_cannot_break_the_markup_of_speech():
    assert Announcement("Turn left onto <A & B>", 5.0).ssml == (
        "<speak>Turn left onto &lt;A &amp; B&gt;</speak>"
    )
