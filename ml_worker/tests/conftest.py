from __future__ import annotations

import pytest
from django.test import Client

from recordings.tests import factories


@pytest.fixture
def admin(settings) -> Client:
    """An admin's browser, and a storage of the test's own, in memory."""
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    client = Client()
    client.force_login(factories.make_person("admin", is_staff=True))
    return client
