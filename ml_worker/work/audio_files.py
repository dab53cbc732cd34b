"""Audio of rows as Sound, and Sound as files of rows."""

from __future__ import annotations

import hashlib

from django.db.models.fields.files import FieldFile

from ml_worker.audio.decode import decode
from ml_worker.audio.flac import flac_ready, to_flac
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from recordings.models import Analysis, Recording
from recordings.storage import put


def sound_of(file: FieldFile, max_rate: int | None = None) -> Sound:
    """A stored audio file, decoded; a higher rate than `max_rate` (Hz) is brought down as it is read."""
    return decode(bytes_of(file), max_rate=max_rate)


def melody_of(file: FieldFile) -> Melody:
    """A stored melody file."""
    return Melody.from_bytes(bytes_of(file))


def bytes_of(file: FieldFile) -> bytes:
    with file.storage.open(file.name) as stored:
        return stored.read()


def store_audio(recording: Recording, sound: Sound) -> None:
    """Gives a recording its lossless working copy. The caller saves the row."""
    sound = flac_ready(sound)
    data = to_flac(sound)
    put(recording.audio, "audio.flac", data)
    recording.audio_sha256 = hashlib.sha256(data).hexdigest()
    recording.sample_rate = sound.sample_rate
    recording.channels = sound.samples.shape[0]
    recording.duration_s = sound.duration_s
    recording.state, recording.failure = Recording.State.READY, ""


def store_analysis(recording: Recording, melody: Melody, separation: str) -> Analysis:
    """Writes what was heard in a recording; doing it again by the same methods replaces nothing."""
    before = recording.analyses.filter(separation=separation, tracker=melody.method).first()
    if before:
        return before
    analysis = Analysis(recording=recording, separation=separation, tracker=melody.method)
    analysis.voiced_share = float(melody.voiced.mean()) if len(melody.voiced) else 0.0
    put(analysis.melody, "melody.npz", melody.to_bytes())
    analysis.save()
    return analysis
