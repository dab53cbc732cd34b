"""Keys and modes: what they do to the seven letters."""

from __future__ import annotations

import re

# Semitones above C of the seven letters.
LETTER_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTAL_SEMITONES = {"": 0, "#": 1, "b": -1}

# Sharps of the major key on each letter, and what a mode adds to them (the circle of fifths).
SHARPS_OF_MAJOR = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
SHARPS_OF_MODE = {"": 0, "maj": 0, "ion": 0, "m": -3, "min": -3, "aeo": -3}
SHARPS_OF_MODE |= {"lyd": 1, "mix": -1, "dor": -2, "phr": -4, "loc": -5}
ORDER_OF_SHARPS = "FCGDAEB"
MOST_ACCIDENTALS = 7

_KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")


def key_signature(key: str) -> dict[str, int]:
    """Semitones that a key adds to each letter: key_signature("D") == {"F": 1, "C": 1}. Raises ValueError."""
    match = _KEY.fullmatch(key)
    mode = None if match is None else _mode(match[3])
    if match is None or mode is None:
        raise ValueError(f"the key {key!r} is not understood; write it like G, Bb, F#m or Ddor")
    sharps = SHARPS_OF_MAJOR[match[1]] + 7 * ACCIDENTAL_SEMITONES[match[2]] + SHARPS_OF_MODE[mode]
    if abs(sharps) > MOST_ACCIDENTALS:
        raise ValueError(f"the key {key!r} has more than seven accidentals")
    if sharps >= 0:
        return dict.fromkeys(ORDER_OF_SHARPS[:sharps], 1)
    return dict.fromkeys(ORDER_OF_SHARPS[sharps:], -1)


def scale(key: str) -> frozenset[int]:
    """The seven pitch classes of a key, 0 = C. Raises ValueError."""
    signature = key_signature(key)
    return frozenset((semitone + signature.get(letter, 0)) % 12 for letter, semitone in LETTER_SEMITONES.items())


def tonic(key: str) -> int:
    """The pitch class that a key is named after, 0 = C. Raises ValueError."""
    key_signature(key)
    match = _KEY.fullmatch(key)
    return 0 if match is None else (LETTER_SEMITONES[match[1]] + ACCIDENTAL_SEMITONES[match[2]]) % 12


def _mode(word: str) -> str | None:
    """The mode's name as SHARPS_OF_MODE has it, None where there is no such mode."""
    shortened = word.lower()[:3]
    return shortened if shortened in SHARPS_OF_MODE else None
