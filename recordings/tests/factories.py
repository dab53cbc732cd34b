"""Small songs, recordings, takes and people for tests, each with real audio in the storage."""

from __future__ import annotations

import hashlib
import io
import uuid
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from numpy.typing import NDArray

from recordings.models import Analysis, CoverFragment, Fragment, HumCheck, Humming, Recording, Release, Song
from recordings.release import freeze
from recordings.splits import split_of
from recordings.storage import put

SAMPLE_RATE = 16_000
# Which tune a take gets that asks for none.
TUNES = cycle(range(60))


def use_storage(settings: Any, folder: Path) -> None:
    """Lets the storage be `folder`, as long as pytest-django's `settings` fixture lasts."""
    settings.STORAGES = storages_in(folder)


def storages_in(folder: Path) -> dict[str, Any]:
    """Django's STORAGES with the default one in `folder`."""
    backend = {"BACKEND": "recordings.storage.DurableFileSystemStorage", "OPTIONS": {"location": str(folder)}}
    return {**django_settings.STORAGES, "default": backend}


def tone(seconds: float, hz: float = 220.0, sample_rate: int = SAMPLE_RATE, bits: int = 16) -> NDArray[np.int32]:
    """A sine at half of full scale with a little noise: whole numbers of `bits` bits, (N,)."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    noise = np.random.default_rng(round(hz)).uniform(-0.01, 0.01, len(times))
    return np.round((0.5 * np.sin(2 * np.pi * hz * times) + noise) * 2 ** (bits - 1)).astype(np.int32)


def audio_file(
    samples: NDArray[np.int32], sample_rate: int = SAMPLE_RATE, *, bits: int = 16, kind: str = "WAV", **texts: str
) -> bytes:
    """The bytes of a sound file of exactly these samples; `texts` (artist, comment, …) go into its header."""
    file = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(file, "w", sample_rate, channels, f"PCM_{bits}", format=kind) as sink:
        for name, text in texts.items():
            setattr(sink, name, text)
        sink.write(samples.astype(np.int32) << (32 - bits))
    return file.getvalue()


@lru_cache(maxsize=64)
def tune_file(seed: int, seconds: float = 5.5) -> bytes:
    """A WAV of a voice that wanders as no other seed's does: two hums of one release are never the same audio."""
    draw = np.random.default_rng(seed)
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    turns = np.arange(0, seconds + 0.2, 0.15)
    hz = 110 * 2 ** np.interp(times, turns, draw.uniform(0, 2, len(turns)))
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    voice = sum(np.sin(overtone * phase) / overtone for overtone in (1, 2, 3, 4, 5))
    return audio_file(np.round(8000 * voice).astype(np.int32))


@lru_cache(maxsize=64)
def tone_file(seconds: float, hz: float, kind: str) -> bytes:
    """The bytes of a sound file of a tone; tests ask for the same few again and again."""
    return audio_file(tone(seconds, hz), kind=kind)


def make_person(username: str = "alice", **fields: Any) -> AbstractBaseUser:
    """A person. Without a password, as hashing one is slow on purpose: tests sign in by force_login or name one."""
    fields = {"email": f"{username}@example.org", **fields}
    return get_user_model().objects.create_user(username, **fields)


def id_of_split(split: str) -> uuid.UUID:
    """A new song's id that lies in this split: songs of tests share audio, which may not be in two."""
    return next(drawn for drawn in iter(uuid.uuid4, None) if split_of(drawn) == split)


def make_song(title: str = "Auld Lang Syne", artist: str = "Trad. Scottish", **fields: Any) -> Song:
    fields.setdefault("id", id_of_split("train"))
    song = Song.objects.create(title=title, artist=artist, **fields)
    song.refresh_from_db()
    return song


def make_recording(
    song: Song | None = None, kind: str = "original", *, seconds: float = 12.0, hz: float = 220.0, **fields: Any
) -> Recording:
    """A recording that is ready, with a tone as its audio."""
    data = tone_file(seconds, hz, "FLAC")
    fields = {"source": Recording.Source.FILE, "state": Recording.State.READY, **fields}
    if fields.get("redistributable"):
        fields.setdefault("licence", "CC-BY-4.0")
    recording = Recording(song=song or make_song(), kind=kind, **fields)
    put(recording.audio, "audio.flac", data)
    recording.audio_sha256 = hashlib.sha256(data).hexdigest()
    recording.sample_rate, recording.channels, recording.duration_s = SAMPLE_RATE, 1, seconds
    recording.save()
    return recording


def make_analysis(recording: Recording, hz: float = 220.0, **fields: Any) -> Analysis:
    """An analysis that heard one long note."""
    frames = round(recording.duration_s * 100)
    analysis = Analysis(recording=recording, voiced_share=1.0, **{"separation": "mix", "tracker": "swift-f0", **fields})
    put(analysis.melody, "melody.npz", melody_file(frames, hz))
    analysis.save()
    return analysis


@lru_cache(maxsize=64)
def melody_file(frames: int, hz: float) -> bytes:
    """A melody of one long note, 10 ms a frame."""
    file = io.BytesIO()
    f0_hz, voiced = np.full(frames, hz, dtype=np.float32), np.ones(frames, dtype=bool)
    confidence = np.ones(frames, dtype=np.float32)
    np.savez(file, hop_s=0.01, f0_hz=f0_hz, voiced=voiced, confidence=confidence, method=np.str_("made"))
    return file.getvalue()


def make_fragment(recording: Recording | None = None, start_s: float = 1.0, end_s: float = 6.0) -> Fragment:
    recording = recording or make_recording()
    return Fragment.objects.create(recording=recording, start_s=start_s, end_s=end_s, origin=Fragment.Origin.PERSON)


def make_humming(
    fragment: Fragment | None = None,
    singer: AbstractBaseUser | None = None,
    state: str = Humming.State.ACCEPTED,
    *,
    wav: bytes | None = None,
    check: bool = True,
    **fields: Any,
) -> Humming:
    """A take with its check; `wav` is its file, a tune of its own of 5.5 s otherwise."""
    wav = tune_file(next(TUNES)) if wav is None else wav
    info = soundfile.info(io.BytesIO(wav))
    humming = Humming(
        **{"id": uuid.uuid4(), "consent_version": "2026-11", **fields},
        fragment=fragment or make_fragment(),
        singer=singer or make_person(f"singer-{uuid.uuid4().hex[:8]}"),
        state=state,
        audio_sha256=hashlib.sha256(wav).hexdigest(),
        sample_rate=info.samplerate,
        frames=info.frames,
    )
    put(humming.audio, "take.wav", wav)
    humming.save(force_insert=True)
    if check:
        make_check(humming, ok=state != Humming.State.REFUSED)
    return humming


def make_check(humming: Humming, **fields: Any) -> HumCheck:
    facts = {"offset_s": 0.25, "tempo_ratio": 1.02, "transposition": -12.0, "similarity": 0.91, "method": "made"}
    check = HumCheck(humming=humming, **{"ok": True, **facts, **fields})
    put(check.melody, "melody.npz", melody_file(round(humming.duration_s * 100), 110.0))
    check.save()
    return check


def make_cover_fragment(
    fragment: Fragment | None = None,
    recording: Recording | None = None,
    state: str = CoverFragment.State.MATCHED,
    **fields: Any,
) -> CoverFragment:
    """A cover fragment in `recording`, or in a new cover of the fragment's song."""
    fragment = fragment or make_fragment()
    recording = recording or make_recording(fragment.song, Recording.Kind.COVER, hz=330.0)
    facts = {"start_s": 2.0, "end_s": 7.5, "correlation": 0.8, "tempo_ratio": 1.1, "checkpoint": "short-made"}
    return CoverFragment.objects.create(
        **{"id": uuid.uuid4(), **facts, **fields}, fragment=fragment, recording=recording, state=state
    )


def make_phrase(**original: Any) -> Fragment:
    """A phrase that may be given away, with its melody and two hums."""
    recording = make_recording(redistributable=True, **{"licence": "CC BY 4.0", **original})
    make_analysis(recording)
    fragment = make_fragment(recording)
    for singer in ("carol", "dave"):
        make_humming(fragment, make_person(singer))
    return fragment


def make_release(version: str = "1.0") -> Release:
    """A release of what is accepted, published without being written anywhere."""
    release = freeze(version)
    Release.objects.filter(pk=release.pk).update(published_at=timezone.now())
    release.refresh_from_db()
    return release
