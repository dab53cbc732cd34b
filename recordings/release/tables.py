"""The tables of a release: their columns, what may stand in each, and how values are written. Free of Django."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

# The tables, and the same ones with types.
DATASET = "metadata/dataset.csv"
VERSIONS = "metadata/versions.csv"
DATASET_PARQUET = "metadata/dataset.parquet"
VERSIONS_PARQUET = "metadata/versions.parquet"

ORIGINAL, COVER, HUMMING = AUDIO_TYPES = ("original", "cover", "humming")
SPLITS = ("train", "validation", "test")

# How a hum's latency is known: recordings/models/estimates.py says what each is.
LATENCY_METHODS = ("loopback", "leak", "browser", "curves")

# What a hum was recorded on.
DEVICE_CLASSES = ("phone", "tablet", "computer")

# Who had the last word on a version: people who agreed, the machine that was sure, or an admin who overruled them.
PEOPLE, MACHINE, ADMIN = DECIDERS = ("people", "machine", "admin")

# Why a row has no audio: the licence of its recording does not allow it, or nothing is stored that could be given.
WHY_GET_IT = "not redistributable: get it by youtube_id and interval"
WHY_NO_WAY = "not redistributable, and no video is known"
WHY_NOT_STORED = "its audio is not stored"
WHY_NO_AUDIO = (WHY_GET_IT, WHY_NO_WAY, WHY_NOT_STORED)

NUMBER = r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?"
INTERVAL_TEXT = re.compile(rf"\[({NUMBER}), ({NUMBER})\]")


def number(value: float | None) -> str:
    """A number to the millionth, never with an exponent; blank where there is none."""
    if value is None or not math.isfinite(value):
        return ""
    text = f"{value:.6f}".rstrip("0")
    text = text + "0" if text.endswith(".") else text
    return "0.0" if text == "-0.0" else text


def flag(value: bool) -> str:
    return str(bool(value))


def interval(start_s: float, end_s: float) -> str:
    """A Python literal, as CHAD's readers take it: `[12.25, 19.0]`, seconds."""
    return f"[{number(start_s)}, {number(end_s)}]"


def read_interval(text: str) -> tuple[float, float]:
    """The two bounds of an interval. Raises ValueError for anything else."""
    found = INTERVAL_TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no interval")
    return float(found[1]), float(found[2])


@dataclass(frozen=True)
class Kind:
    """What may stand in a column: in words, as a check, and what it holds where columns have types."""

    what: str
    fits: Callable[[str], bool]
    holds: Literal["text", "number", "whole number", "flag", "interval"] = "text"

    def or_blank(self) -> Kind:
        return replace(self, what=f"{self.what}, or nothing", fits=lambda text: text == "" or self.fits(text))

    def value(self, text: str) -> str | float | int | bool | list[float] | None:
        """A cell as a value of its type; None where nothing is known. Texts stay as they are, empty ones too."""
        if self.holds == "text":
            return text
        if text == "":
            return None
        return OF_TEXT[self.holds](text)


OF_TEXT: dict[str, Callable[[str], float | int | bool | list[float]]] = {
    "number": float,
    "whole number": int,
    "flag": lambda text: text == "True",
    "interval": lambda text: list(read_interval(text)),
}


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _is_interval(text: str) -> bool:
    try:
        start_s, end_s = read_interval(text)
    except ValueError:
        return False
    return 0 <= start_s < end_s


def _one_of(*words: str) -> Kind:
    return Kind(f"one of {', '.join(words)}", lambda text: text in words)


def _is_number(text: str) -> bool:
    return re.fullmatch(NUMBER, text) is not None


ID = Kind("an id such as 1b4e28ba-2fa1-41d2-883f-0016d3cca427", _is_id)
TEXT = Kind("text", lambda text: True)
WORDS = Kind("text, and not nothing", lambda text: text != "")
FLAG = replace(_one_of("True", "False"), holds="flag")
DECIMAL = Kind("a number such as 0.25", _is_number, "number")
SHARE = Kind("a number from 0 to 1", lambda text: _is_number(text) and 0 <= float(text) <= 1, "number")
ABOVE_ZERO = Kind("a number above 0", lambda text: _is_number(text) and float(text) > 0, "number")
COUNT = Kind("a whole number", lambda text: re.fullmatch(r"0|[1-9][0-9]{0,11}", text) is not None, "whole number")
WHOLE = Kind("a whole number above 0", lambda text: re.fullmatch(r"[1-9][0-9]{0,11}", text) is not None, "whole number")
INTERVAL = Kind("two seconds such as [12.25, 19.0]", _is_interval, "interval")
SHA256 = Kind("64 hexadecimal digits", lambda text: re.fullmatch(r"[0-9a-f]{64}", text) is not None)

# CHAD's own columns, in its order.
DATASET_COLUMNS = {
    "group_id": ID,
    "fragment_id": ID,
    "id": ID,
    "audio_type": _one_of(*AUDIO_TYPES),
    "youtube_id": TEXT,
    "interval": INTERVAL,
    "correlation": SHARE.or_blank(),
    "check_by_crowdsource": FLAG,
    "is_available": FLAG,
    "duration": ABOVE_ZERO,
}

# What we know besides; one row for each row of the first table, in the same order.
VERSIONS_COLUMNS = {
    "id": ID,
    "group_id": ID,
    "fragment_id": ID,
    "audio_type": _one_of(*AUDIO_TYPES),
    "split": _one_of(*SPLITS),
    "title": WORDS,
    "artist": WORDS,
    "performer": TEXT,
    "source": _one_of("file", "youtube", "generated").or_blank(),
    "licence": TEXT,
    "audio": TEXT,
    "sha256": SHA256.or_blank(),
    "why_no_audio": _one_of(*WHY_NO_AUDIO).or_blank(),
    "sample_rate": WHOLE.or_blank(),
    "offset_s": DECIMAL.or_blank(),
    "tempo_ratio": ABOVE_ZERO.or_blank(),
    "transposition": DECIMAL.or_blank(),
    "offset_confidence": SHARE.or_blank(),
    "latency_s": DECIMAL.or_blank(),
    "latency_method": _one_of(*LATENCY_METHODS).or_blank(),
    "latency_confidence": SHARE.or_blank(),
    "similarity": DECIMAL.or_blank(),
    "check_method": TEXT,
    "checkpoint": TEXT,
    "null_level": DECIMAL.or_blank(),
    "singer": TEXT,
    "simulated": FLAG,
    "consent_version": TEXT,
    "ai_training": FLAG.or_blank(),
    "singer_split": _one_of(*SPLITS).or_blank(),
    "device_class": _one_of(*DEVICE_CLASSES).or_blank(),
    "age_band": TEXT,
    "gender": TEXT,
    "musical_training": TEXT,
    "snr_db": DECIMAL.or_blank(),
    "voiced_share": SHARE.or_blank(),
    "clipped_share": SHARE.or_blank(),
    "coverage": SHARE.or_blank(),
    "verdicts_for": COUNT.or_blank(),
    "verdicts_against": COUNT.or_blank(),
    "agreement": SHARE.or_blank(),
    "decided_by": _one_of(*DECIDERS).or_blank(),
    "probability": SHARE.or_blank(),
    "f0": TEXT,
    "f0_method": TEXT,
}

# Columns that came after the first release, in the order in which they came: a release from before, which never
# changes, lacks them.
LATER_COLUMNS = (
    {"offset_confidence", "latency_s", "latency_method", "latency_confidence"},
    {"ai_training"},
    {
        "singer_split", "device_class", "age_band", "gender", "musical_training", "snr_db", "voiced_share",
        "clipped_share", "coverage", "verdicts_for", "verdicts_against", "agreement", "decided_by", "probability", "f0",
        "f0_method",
    },
)  # fmt: skip

# The double-check's columns, and those that tell something of a singer and are shown only where five or more share it.
JUDGED = ("verdicts_for", "verdicts_against", "agreement", "decided_by", "probability")
ABOUT_SINGERS = ("device_class", "age_band", "gender", "musical_training")

# What is gone since an earlier release: a table of its own, with tabs, at the top of the folder.
REMOVED = "REMOVED.tsv"
WITHDRAWN, TAKEN_DOWN = WHY_REMOVED = ("withdrawn", "taken down")
REMOVED_COLUMNS = {
    "version_id": ID,
    "fragment_id": ID,
    "audio_type": _one_of(*AUDIO_TYPES),
    "last_release": WORDS,
    "why": _one_of(*WHY_REMOVED),
}


def columns_of_then(columns: Iterable[str]) -> list[list[str]]:
    """The headers that a table may have: today's, and those of the times before later columns came."""
    headers, left = [list(columns)], list(columns)
    for came in reversed(LATER_COLUMNS):
        left = [column for column in left if column not in came]
        headers.append(left)
    return headers


# What the first table knows and the second does not.
FROM_DATASET = tuple(name for name in DATASET_COLUMNS if name not in VERSIONS_COLUMNS)

# What both tables say of a version.
PLACE = ("group_id", "fragment_id", "id", "audio_type")
