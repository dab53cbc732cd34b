from __future__ import annotations

import pytest
from django.test import Client

from recordings.tests import factories


@pytest.fixture
def admin(settings, tmp_path) -> Client:
    """An admin's browser, and a storage of the test's own."""
    factories.use_storage(settings, tmp_path / "storage")
    client = Client()
    client.force_login(factories.make_person("admin", is_staff=True))
    return client
