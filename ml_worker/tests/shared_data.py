"""Real audio for tests, which lies outside the project: ../shared/data, or where CHAD_SHARED_DATA says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("CHAD_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def shared_data(*parts: str) -> Path:
    """A file or folder of the shared data; skips the test where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"The shared data has no {path.relative_to(SHARED)} here; set CHAD_SHARED_DATA to its folder.")
    return path
