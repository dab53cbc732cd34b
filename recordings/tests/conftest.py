from __future__ import annotations

from pathlib import Path

import pytest

from recordings.tests.factories import use_storage


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> Path:
    """Files of these tests live in a folder of their own."""
    folder = tmp_path / "storage"
    use_storage(settings, folder)
    return folder
