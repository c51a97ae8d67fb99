"""Why a proposal is good, for programs: codes, and a short phrase for each in a walker's language.

The words are tables, one file a language in `reason_texts/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from models.routes.planning import Planned
from models.routes.proposals import Yardstick
from models.routes.reasons import Felt, better_and_worse, is_quickest, longer_s

LANGUAGES = ("en", "ru")


@dataclass(frozen=True)
class Reason:
    """One reason, and what its phrase needs."""

    code: str  # less_<factor>, more_<factor>, but_more_<factor>, but_less_<factor>, longer, quickest, alike
    factor: str = ""
    minutes: int = 0
    than: str = ""  # of "alike"


def reasons_of(planned: Planned, yard: Yardstick) -> list[Reason]:
    """What is better than on the yardstick, then what is worse; at least one."""
    if is_quickest(planned, yard):
        return [Reason("quickest")]
    better, worse = better_and_worse(planned, yard)
    found = [Reason(_direction(row), row.factor) for row in better]
    if not better:
        found.append(Reason("alike", than="streets_around" if yard.path is None else "quickest"))
    found += [Reason(f"but_{_direction(row)}", row.factor) for row in worse]
    if longer := longer_s(planned, yard):
        found.append(Reason("longer", minutes=max(1, round(longer / 60.0))))
    return found


def phrase(reason: Reason, language: str) -> str:
    """A reason in one of LANGUAGES, without a capital and a full stop."""
    texts = _texts(language)
    if reason.code == "alike":
        return str(texts["alike"][reason.than])
    if not reason.factor:
        return str(texts[reason.code]).format(minutes=reason.minutes)
    bare = reason.code.removeprefix("but_")
    said = str(texts[bare.split("_")[0]][reason.factor])
    return said if bare == reason.code else str(texts["but"]).format(phrase=said)


def _direction(row: Felt) -> str:
    return f"{'more' if row.exposure > row.usual else 'less'}_{row.factor}"


@cache
def _texts(language: str) -> dict[str, Any]:
    texts: dict[str, Any] = orjson.loads(
        files("models.routes").joinpath("reason_texts", f"{language}.json").read_bytes()
    )
    return texts
