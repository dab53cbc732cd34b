"""The tests' own things are real: audio that reads back, rows that the rules allow."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from recordings.models import CoverFragment, Humming
from recordings.tests import factories as make


def test_an_audio_file_holds_exactly_its_samples():
    samples = make.tone(1.0, bits=24)
    read, rate = soundfile.read(io.BytesIO(make.audio_file(samples, bits=24, kind="FLAC")), dtype="int32")
    assert rate == make.SAMPLE_RATE
    assert np.array_equal(read >> 8, samples)


@pytest.mark.django_db
def test_rows_have_their_files(storage):
    humming, cover = make.make_humming(), make.make_cover_fragment()
    assert humming in Humming.objects.accepted()
    assert cover in CoverFragment.objects.accepted()
    assert humming.duration_s == 5.5
    with humming.audio.open() as take, cover.recording.audio.open() as audio:
        assert soundfile.info(take).frames == humming.frames
        assert soundfile.info(audio).duration == cover.recording.duration_s
    assert storage in (storage / humming.audio.name).parents
