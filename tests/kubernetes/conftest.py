"""The chart with everything on, rendered once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.chart import ALL, LEAST, render


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All resources with all that can be had."""
    return render(ALL, tmp_path_factory.mktemp("all"))


@pytest.fixture(scope="session")
def least(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All resources with the least that must be set."""
    return render(LEAST, tmp_path_factory.mktemp("least"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For values."""
    return tmp_path
