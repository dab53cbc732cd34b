"""The audio that the check is measured on."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("CHAD_SHARED_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
SOLO = (
    "hums/henter/melody_1.wav",
    "hums/henter/melody_2.wav",
    "hums/henter/melody_3.wav",
    "hums/hum2sol/hum.wav",
    "hums/da/vocal-da-80bpm.22050.wav",
    "hums/vocadito/vocadito_10.wav",
    "hums/vocadito/vocadito_14.wav",
    "hums/vocadito/Audio/vocadito_1.wav",
    "alignment/sir_duke/sir_duke_trumpet_slow.mp3",
    "alignment/sir_duke/sir_duke_trumpet_fast.mp3",
)
"""Real recordings of one voice or one trumpet, in the folder of shared data."""
VOICES = SOLO[:8]
"""The people among them."""
SONGS = ("ontherun", "northernstar", "monkeyshines", "mrfancypants", "furryoldlobster")
"""Folders of songs/ in the shared data: a recording and its notes each."""
SHORTEST_PHRASE_S = 4.0
"""Shorter phrases are no fragments, seconds."""
