"""Songs, hums and covers as rows with real melodies: voices that sing made tunes, aligned by construction."""

from __future__ import annotations

import io
import uuid
from datetime import datetime
from typing import Any

import soundfile
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from annotation.models import ReviewItem
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.tests.made_hums import hummed, voice
from ml_worker.tests.made_tunes import made_tune, melody_of
from ml_worker.work.audio_files import store_audio
from recordings.models import Analysis, CoverFragment, Fragment, HumCheck, Humming, Recording
from recordings.storage import put
from recordings.tests import factories

FRAGMENT_S = (3.0, 11.0)
OFFSET_S, TEMPO_RATIO, TRANSPOSITION = 0.7, 1.05, -12.0


def sung_song(seed: int) -> Fragment:
    """A song that a voice sings, analysed, with a fragment of 8 s."""
    melody = melody_of(made_tune(seed, 14), seed=seed, drift=0)
    recording = sung_recording(factories.make_song(f"Song {seed}"), Recording.Kind.ORIGINAL, melody)
    return factories.make_fragment(recording, *FRAGMENT_S)


def sung_recording(song: Any, kind: str, melody: Melody) -> Recording:
    recording = Recording(song=song, kind=kind, source=Recording.Source.FILE, truth={"notes": []})
    store_audio(recording, voice(melody))
    recording.save()
    analysis = Analysis(recording=recording, separation="mix", tracker="made", voiced_share=0.9)
    put(analysis.melody, "melody.npz", melody.to_bytes())
    analysis.save()
    return recording


def reference_of(fragment: Fragment) -> Melody:
    with fragment.recording.analysis.melody.open() as stored:
        return Melody.from_bytes(stored.read()).cut(fragment.start_s, fragment.end_s)


def sung_hum(
    fragment: Fragment, singer: AbstractBaseUser | None = None, state: str = Humming.State.ACCEPTED, **fields: Any
) -> Humming:
    """A hum of the fragment, with its true values as its check; by default accepted."""
    melody = hummed(reference_of(fragment), offset_s=OFFSET_S, tempo_ratio=TEMPO_RATIO, transposition=TRANSPOSITION)
    hum = factories.make_humming(fragment, singer, state, wav=wav_of(voice(melody)), check=False, **fields)
    check = HumCheck(
        humming=hum, ok=True, offset_s=OFFSET_S, tempo_ratio=TEMPO_RATIO, transposition=TRANSPOSITION, similarity=0.9,
        method="made",
    )  # fmt: skip
    put(check.melody, "melody.npz", melody.to_bytes())
    check.save()
    return hum


def sung_cover(fragment: Fragment, state: str = CoverFragment.State.ACCEPTED) -> CoverFragment:
    """A cover that sings the fragment from its second 2 on."""
    melody = hummed(reference_of(fragment), offset_s=2.0, tempo_ratio=TEMPO_RATIO, transposition=3.0, after_s=2.0)
    recording = sung_recording(fragment.song, Recording.Kind.COVER, melody)
    return CoverFragment.objects.create(
        id=uuid.uuid4(), fragment=fragment, recording=recording, start_s=2.0,
        end_s=2.0 + fragment.duration_s * TEMPO_RATIO, correlation=0.8, tempo_ratio=TEMPO_RATIO, transposition=3.0,
        state=state, checkpoint="short-made",
    )  # fmt: skip


def settled(version: Humming | CoverFragment, at: datetime | None = None) -> ReviewItem:
    """The item of a version that people have judged, as settling leaves it."""
    item = ReviewItem.ask_about(version)
    ReviewItem.objects.filter(pk=item.pk).update(
        state=ReviewItem.State.SETTLED, settled_at=at or timezone.now(), missing=0
    )
    return item


def wav_of(sound: Sound) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound.mono(), sound.sample_rate, format="WAV", subtype="PCM_24")
    return file.getvalue()
