"""`flaneur factors`, and that what people read of the factors is what is declared."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from cli.factors import command, markdown_table
from geo.routing.costs import FACTOR_NAMES, FACTORS, STATIC_FACTORS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_docs_have_the_declared_table() -> None:
    assert markdown_table() in (DOCS / "routing.md").read_text(encoding="utf-8"), (
        "docs/routing.md is behind: put the output of `flaneur factors --markdown` there"
    )


def test_the_docs_say_how_every_static_factor_is_made() -> None:
    section = (DOCS / "graph.md").read_text(encoding="utf-8").split("## Static factors")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.M)) == STATIC_FACTORS


def test_json_holds_what_is_declared() -> None:
    done = CliRunner().invoke(command, ["--json"])
    assert done.exit_code == 0
    factors = json.loads(done.stdout)["factors"]
    assert [factor["name"] for factor in factors] == list(FACTOR_NAMES)
    for told, factor in zip(factors, FACTORS, strict=True):
        assert told == vars(factor)


def test_everybody_is_told_every_factor() -> None:
    for arguments in ([], ["--markdown"]):
        done = CliRunner().invoke(command, arguments, terminal_width=200)
        assert done.exit_code == 0
        for name in FACTOR_NAMES:
            assert name in done.stdout
