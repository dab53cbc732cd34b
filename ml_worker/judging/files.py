"""Judging files: audio in full, curves and MIDI by their melody alone."""

from __future__ import annotations

from pathlib import Path

from ml_worker.audio.decode import decode
from ml_worker.audio.melody_files import CURVE_ENDINGS, MIDI_ENDINGS, read_melody
from ml_worker.judging import Judgement, judge_hum, judge_melody


def judge_files(hum: Path, fragment: Path) -> Judgement:
    """Judges a hum against a fragment, each audio, MIDI or a pitch curve.

    Raises:
        UnusableAudio: with a sentence, where a file cannot be read.
        ValueError: the fragment holds too little melody to compare with.
    """
    reference = read_melody(fragment)
    if hum.suffix.lower() in MIDI_ENDINGS | CURVE_ENDINGS:
        return judge_melody(read_melody(hum), reference)
    return judge_hum(decode(hum), reference)
