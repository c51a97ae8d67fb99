"""Bringing Helm where nothing can be downloaded says so, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from streams.local.services import PROJECT


def test_what_cannot_be_brought_is_said(tmp_path: Path) -> None:
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    done = subprocess.run(
        [sys.executable, PROJECT / "compose" / "helm" / "fetch.py", tmp_path / "helm"],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)} | nowhere,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Helm 3 is missing, and could not be brought." in done.stderr
    assert "Install Go, which builds it" in done.stderr
    assert list((tmp_path / "helm").iterdir()) == []
