"""What is done once a day."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from ml_worker.tasks import tidy
from recordings.models import Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


def test_what_the_storage_would_not_delete_goes_on_another_day(settings, tmp_path):
    factories.use_storage(settings, tmp_path / "storage")
    take, kept = factories.make_humming(None, state=Humming.State.WITHDRAWN), factories.make_humming()
    Humming.objects.filter(pk=take.pk).update(audio="")
    default_storage.save(f"hummings/{kept.pk}/notes.txt", ContentFile(b"mine"))
    tidy()
    assert not default_storage.exists(f"hummings/{take.pk}/take.wav")
    assert default_storage.exists(kept.audio.name)
    tidy()
