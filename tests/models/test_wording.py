"""What a walker reads: made of an update's code and numbers alone."""

from __future__ import annotations

from typing import Any

import pytest

from models.records import CHANGE_CAUSES, UPDATE_REASONS
from models.trips.wording import message_for

LEFT = "You left the route: here is a new way from where you are"
DRY = "this way has more shelter"


@pytest.mark.parametrize(
    ("reason", "change", "said"),
    [
        ("requested", None, "Here is your route."),
        (
            "off_route",
            {"length_m": 204.0},
            f"{LEFT}, 200 m longer.",
        ),
        ("off_route", {"length_m": -8.0}, f"{LEFT}."),
        ("late", {"length_m": -640.0}, "You would come late: this way is quicker, 650 m shorter."),
        (
            "world_changed",
            {"cause": "closed", "ahead_m": 228.0, "length_m": 121.0},
            "A street is closed 250 m ahead: here is a way round, 120 m longer.",
        ),
        (
            "world_changed",
            {"cause": "rain", "ahead_m": 820.0},
            f"Rain in 10 minutes: {DRY}.",
        ),
        ("world_changed", {"cause": "crowd"}, "A crowd ahead: this way is emptier."),
        ("better", {"length_m": -1260.0}, "A more pleasant way has opened up, 1300 m shorter."),
        ("better", {"cause": "traffic", "ahead_m": 3.0}, "Heavy traffic ahead: this way is calmer."),
        ("expired", {"cause": "rain"}, "Nothing was heard of you for a long time: the walk is ended."),
    ],
)
def test_reason_and_change_make_the_sentence(reason: str, change: dict[str, Any] | None, said: str) -> None:
    assert message_for(reason, change) == said


def test_there_are_words_for_everything() -> None:
    for reason in UPDATE_REASONS:
        for cause in (None, *CHANGE_CAUSES):
            assert message_for(reason, {"cause": cause}).endswith(".")
