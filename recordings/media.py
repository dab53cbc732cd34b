"""Audio and curves as the pages get them: cut from what is stored, never changed there."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from django.core.cache import cache
from django.core.files.base import File
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase

from recordings.models import Fragment, Recording

CURVE_HOP_S = 0.02
# A waveform's picture has this many parts a second, so that one can zoom in; of a long recording not more than so many.
PEAKS_A_SECOND = 50
MOST_PEAKS = 20_000


def cut_flac(audio: FieldFile, start_s: float, end_s: float) -> bytes:
    """The interval of a stored recording, lossless, as FLAC."""
    with audio.storage.open(audio.name) as stored, soundfile.SoundFile(stored) as source:
        source.seek(min(source.frames, round(start_s * source.samplerate)))
        samples = source.read(round((end_s - start_s) * source.samplerate), dtype="int32", always_2d=True)
        rate, subtype = source.samplerate, source.subtype
    cut = io.BytesIO()
    soundfile.write(cut, samples, rate, format="FLAC", subtype=subtype if subtype == "PCM_16" else "PCM_24")
    return cut.getvalue()


def whole_as_flac(audio: FieldFile) -> HttpResponseBase:
    """A stored take's very samples, as FLAC. Takes are at most a minute long, so they fit in memory."""
    with audio.storage.open(audio.name) as stored, soundfile.SoundFile(stored) as source:
        length_s = source.frames / source.samplerate
    return private_file(cut_flac(audio, 0.0, length_s), "audio/flac")


def peaks(recording: Recording) -> list[float]:
    """The loudest sample of each of many equal parts of a recording, 0..1, for drawing its waveform."""
    key = f"peaks:{recording.pk}:{recording.audio_sha256}"
    found = cache.get(key)
    if found is None:
        with recording.audio.storage.open(recording.audio.name) as stored, soundfile.SoundFile(stored) as source:
            part = max(source.samplerate // PEAKS_A_SECOND, -(-source.frames // MOST_PEAKS))
            blocks = source.blocks(blocksize=part, dtype="float32", always_2d=True)
            found = [round(float(np.abs(block).max()), 3) for block in blocks]
        cache.set(key, found, timeout=3600)
    return found


def read_curve(melody: FieldFile, start_s: float = 0.0, end_s: float | None = None) -> dict:
    """A melody file's interval as a curve: {"hop_s", "pitch"}, MIDI semitones, None where unvoiced."""
    with melody.storage.open(melody.name) as stored:
        data = np.load(io.BytesIO(stored.read()), allow_pickle=False)
    hop_s, f0_hz, voiced = float(data["hop_s"]), data["f0_hz"], data["voiced"]
    end_s = len(f0_hz) * hop_s if end_s is None else end_s
    times = np.arange(start_s, end_s, CURVE_HOP_S)
    frames = np.round(times / hop_s).astype(int)
    inside = frames < len(f0_hz)
    frames = np.minimum(frames, max(0, len(f0_hz) - 1))
    if len(f0_hz) == 0:
        return {"hop_s": CURVE_HOP_S, "pitch": [None] * len(times)}
    heard = voiced[frames] & (f0_hz[frames] > 0) & inside
    semitones = 69 + 12 * np.log2(np.where(heard, f0_hz[frames], 440) / 440)
    return {
        "hop_s": CURVE_HOP_S,
        "pitch": [round(float(p), 2) if h else None for p, h in zip(semitones, heard, strict=True)],
    }


def private_file(data: bytes | File, content_type: str) -> HttpResponseBase:
    """An answer with a file that only this person's browser may keep. A File is streamed, and closed at its end."""
    if isinstance(data, File):
        response: HttpResponseBase = FileResponse(data, content_type=content_type)
    else:
        response = HttpResponse(data, content_type=content_type)
    response["Cache-Control"] = "private, max-age=3600"
    response["Content-Disposition"] = "inline"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def whole_audio(recording: Recording) -> HttpResponseBase:
    """A recording's lossless working copy, streamed."""
    return private_file(recording.audio.storage.open(recording.audio.name), "audio/flac")


def interval_audio(recording: Recording, start_s: float, end_s: float) -> HttpResponseBase:
    return private_file(cut_flac(recording.audio, start_s, end_s), "audio/flac")


def fragment_curve(fragment: Fragment) -> dict:
    """The reference curve of a fragment, from the latest analysis of its recording."""
    return interval_curve(fragment.recording, fragment.start_s, fragment.end_s)


def interval_curve(recording: Recording, start_s: float, end_s: float) -> dict:
    """The curve of an interval; nothing is to be had before the recording is analysed."""
    analysis = recording.analysis
    if analysis is None:
        raise Http404(f"{recording} has no melody yet.")
    return read_curve(analysis.melody, start_s, end_s)
