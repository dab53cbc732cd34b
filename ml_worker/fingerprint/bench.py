"""How fast the model is: from a melody to its fingerprints, and from a recording to both.

    python manage.py bench model

Fingerprints are made of a melody of four minutes in one pass, and window by window as the peer, by the same weights;
the whole analysis (decoding, no separation, the default tracker, both kinds of fingerprint) is of a real song, or of a
made recording where the shared data is absent, each part by itself; CREPE tiny is the default tracker's peer. All
cores are used. "times" is seconds of music for each second of work, in the best of several turns; "MB" is the greatest
resident size of a fresh process that does the same, its libraries with it. Without the starter checkpoints new weights
take their place: they are as fast.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_worker.audio.decode import decode
from ml_worker.audio.measure import DATA, SONGS
from ml_worker.audio.measure_memory import in_fresh_process, write_song
from ml_worker.audio.melody import Melody
from ml_worker.audio.separation import MIX_RATE, separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.fingerprint.settings import Centred, Kind, Settings
from ml_worker.fingerprint.shipped import KINDS, shipped_kinds, starter_checkpoint

if TYPE_CHECKING:
    from ml_worker.fingerprint.checkpoint import Checkpoint
    from ml_worker.fingerprint.fingerprints import Fingerprints

Row = dict[str, Any]

# The melody: its length, its hop as the default tracker has it, the length of its notes and of the rest after each;
# seconds.
MELODY_S, HOP_S, NOTE_S, REST_S = 240.0, 0.016, 0.4, 0.05
# Each figure is the best of so many turns, as other work on the machine only ever slows.
TURNS = 5
# The real song, and how much of it the slower tracker is given, seconds.
SONG = "ontherun"
PEER_S = 60.0
PEER = "crepe-tiny"
# How fingerprints are made, and the setting for it.
WAYS: dict[str, Centred] = {"in one pass": "recording", "window by window": "window"}
# Times faster than real time that are to be reached on two cores.
TARGETS = {"fingerprints": 100, "analysis": 20}


def table(melody_s: float = MELODY_S, song: Path | None = None, turns: int = TURNS, memory: bool = True) -> list[Row]:
    """The rows for `make bench`.

    Args:
        melody_s: length of the melody.
        song: a recording; None: the real song, or a made one of the melody's length.
        turns: how often each is done.
        memory: whether memory is measured, which starts processes.
    """
    if song is None and (DATA / "songs" / SONG).exists():
        song = DATA / "songs" / SONG / SONGS[SONG]
    with tempfile.TemporaryDirectory() as folder:
        if song is None:
            song = Path(folder) / "made recording (synthetic)" / "made.wav"
            song.parent.mkdir()
            write_song(song, melody_s)
        peaks = peaks_mb(melody_s, song) if memory else {}
        rows = [row for kind in KINDS for row in fingerprint_rows(kind, melody_s, turns)]
        rows += analysis_rows(song, song.parent.name, turns)
    return [row | {"MB": peaks.get(row["what"])} for row in rows]


def peaks_mb(melody_s: float, song: Path) -> dict[str, int]:
    """Greatest resident size by name of row, MB.

    To be called before anything is measured here: a new process counts in what the one that starts it once took.
    """
    peaks = {
        f"{kind} fingerprints {way}": in_fresh_process(prints_of_made, kind, centred, melody_s)[0]
        for kind in KINDS
        for way, centred in WAYS.items()
    }
    peaks["analysis, all"] = in_fresh_process(analyse, song)[0]
    return {what: round(peak) for what, peak in peaks.items()}


# --- from a melody


def fingerprint_rows(kind: Kind, melody_s: float, turns: int) -> list[Row]:
    """One pass and window by window, by the same weights."""
    prints_of_made(kind, "recording", melody_s)  # what is loaded at the first call
    rows = []
    for way, centred in WAYS.items():
        seconds = best_of(turns, lambda centred=centred: prints_of_made(kind, centred, melody_s))
        target = TARGETS["fingerprints"] if centred == "recording" else None
        rows.append(row_of(f"{kind} fingerprints {way}", f"melody of {melody_s:g} s", seconds, melody_s, target))
    return rows


def prints_of_made(kind: Kind, centred: Centred, melody_s: float) -> Fingerprints:
    return prints_of(made_melody(melody_s), kind, centred)


def prints_of(melody: Melody, kind: Kind, centred: Centred = "recording") -> Fingerprints:
    """A melody's fingerprints by the starter checkpoint's weights, the windows centred as asked."""
    from ml_worker.fingerprint.fingerprinter import encode

    checkpoint = checkpoint_of(kind)
    settings = checkpoint.settings.changed(centred=centred)
    return encode(encoder_of(kind), melody, settings, checkpoint.name)


@cache
def checkpoint_of(kind: Kind) -> Checkpoint:
    """The starter checkpoint; new weights where it is not there."""
    from ml_worker.fingerprint.checkpoint import Checkpoint, state_of
    from ml_worker.fingerprint.data import DataRecord
    from ml_worker.fingerprint.network import new_encoder

    if kind in shipped_kinds():
        return starter_checkpoint(kind)
    settings = Settings.starter(kind)
    return Checkpoint(settings, state_of(new_encoder(seed=0, **settings.network)), DataRecord.of([]))


@cache
def encoder_of(kind: Kind) -> Any:
    return checkpoint_of(kind).encoder()


@cache
def made_melody(seconds: float) -> Melody:
    """Notes by chance within an octave, with a rest and an attack each."""
    rng = np.random.default_rng(0)
    notes = rng.integers(57, 70, int(seconds / (NOTE_S + REST_S)) + 1)
    times_s = np.arange(round(seconds / HOP_S)) * HOP_S
    number, within_s = np.divmod(times_s, NOTE_S + REST_S)
    voiced = within_s < NOTE_S
    f0_hz = np.where(voiced, 440 * 2 ** ((notes[number.astype(int)] - 69) / 12), 0).astype(np.float32)
    return Melody(HOP_S, f0_hz, voiced, voiced.astype(np.float32), "made", (within_s < HOP_S).astype(np.float32))


# --- from a recording


def analysis_rows(song: Path, name: str, turns: int) -> list[Row]:
    """Each part of an analysis, all of it, and what it takes with another tracker."""
    analyse(song)  # what is loaded at the first call
    parts = min((analyse(song) for _ in range(turns)), key=lambda turn: sum(turn.values()))
    whole_s = sum(parts.values())
    sound = decode(song, max_rate=MIX_RATE)
    music_s = sound.duration_s
    return [
        *(row_of(f"analysis, {part}", name, took_s, music_s) for part, took_s in parts.items()),
        row_of("analysis, all", name, whole_s, music_s, TARGETS["analysis"]),
        *tracker_rows(sound.cut(0, PEER_S), name, whole_s, music_s),
    ]


def analyse(song: Path) -> dict[str, float]:
    """Decodes a recording, takes its mix for the voice, tracks it and makes both kinds of fingerprint.

    Returns:
        seconds that each part took.
    """
    took: dict[str, float] = {}
    sound = timed(took, "decoding", lambda: decode(song, max_rate=MIX_RATE))
    voice = timed(took, "mix for the voice", lambda: separate(sound, "mix").sound)
    melody = timed(took, "melody", lambda: track_melody(voice))
    for kind in KINDS:
        timed(took, f"{kind} fingerprints", lambda kind=kind: prints_of(melody, kind))
    return took


def tracker_rows(sound: Sound, name: str, whole_s: float, music_s: float) -> list[Row]:
    """The default tracker and its peer on the first of a song, and what the whole analysis would take with the peer.

    Args:
        whole_s, music_s: seconds that the whole analysis takes with the default tracker, and of how much music.
    """
    voice = separate(sound, "mix").sound
    track_melody(voice.cut(0, 1), PEER)  # what is loaded at the first call
    default_s = best_of(1, lambda: track_melody(voice))
    peer_s = best_of(1, lambda: track_melody(voice, PEER))
    with_peer_s = whole_s + (peer_s - default_s) / sound.duration_s * music_s
    first = f"{name}, first {sound.duration_s:.0f} s"
    return [
        row_of("melody by the default tracker", first, default_s, sound.duration_s),
        row_of(f"melody by {PEER}", first, peer_s, sound.duration_s),
        row_of(f"analysis with {PEER}, from its parts", name, with_peer_s, music_s),
    ]


# --- rows


def row_of(what: str, on: str, seconds: float, music_s: float, target: int | None = None) -> Row:
    times = music_s / seconds
    return {"what": what, "on": on, "seconds": round(seconds, 3), "times": round(times, 1), "target": target}


def best_of(turns: int, work: Callable[[], object]) -> float:
    """The least seconds that the work took in some turns."""
    seconds = []
    for _ in range(turns):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def timed(took: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """What the work gives; its seconds are put down under the name."""
    begun = time.perf_counter()
    answer = work()
    took[name] = time.perf_counter() - begun
    return answer
