"""What `flaneur bench soak` refuses, and when it begins to measure."""

from __future__ import annotations

import pytest

from bench.soak import SoakJob
from geo.errors import BadInput


def test_a_short_run_shows_nothing() -> None:
    with pytest.raises(BadInput, match="at least 3"):
        SoakJob(minutes=1.0)


@pytest.mark.parametrize(("minutes", "warm_s"), [(3.0, 150.0), (10.0, 150.0), (60.0, 900.0)])
def test_it_measures_once_the_first_were_forgotten(minutes: float, warm_s: float) -> None:
    assert SoakJob(minutes=minutes).warm_s == warm_s
