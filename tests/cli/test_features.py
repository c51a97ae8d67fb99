"""`flaneur features`, and that what people read of the features is what is declared."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from cli.features import command, markdown_table
from models.features import FEATURES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_docs_have_the_declared_table() -> None:
    assert markdown_table() in (DOCS / "features.md").read_text(encoding="utf-8"), (
        "docs/features.md is behind: put the output of `flaneur features --markdown` there"
    )


def test_json_holds_what_is_declared() -> None:
    done = CliRunner().invoke(command, ["--json"])
    assert done.exit_code == 0
    features = json.loads(done.stdout)["features"]
    assert [(f["entity"], f["name"]) for f in features] == [(f.entity, f.name) for f in FEATURES]
    for told, feature in zip(features, FEATURES, strict=True):
        known = {name: value for name, value in vars(feature).items() if value == value}  # but no nan
        assert told == {"parameter": None, **known}


def test_everybody_is_told_every_feature() -> None:
    for arguments in ([], ["--markdown"]):
        done = CliRunner().invoke(command, arguments, env={"COLUMNS": "250"})
        assert done.exit_code == 0
        for feature in FEATURES:
            assert feature.name in done.stdout
