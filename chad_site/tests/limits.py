"""Fixture: no test is held back by what another one called. Django empties the tables of models alone."""

from __future__ import annotations

import pytest

from annotation import limits


@pytest.fixture(autouse=True)
def nobody_called_yet(request: pytest.FixtureRequest) -> None:
    """Before tests that commit; what the others count is rolled back with all they write."""
    marker = request.node.get_closest_marker("django_db")
    commits = {"transactional_db", "live_server"} & set(request.fixturenames)
    if commits or (marker and marker.kwargs.get("transaction")):
        request.getfixturevalue("transactional_db")
        limits.forget(expired_only=False)
