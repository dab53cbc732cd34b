"""Releases of 1,000 and 10,000 versions (made up): time per version and the most memory, against plain writing.

The baseline encodes the same takes as FLAC, one after the other, and does nothing else: what no release can be made
without. Each arm runs in a process of its own, so that its memory is its own. Runs in a database of its own, which is
made for it and dropped afterwards, with files in a temporary folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import override_settings

from ml_worker.review_bench import own_database
from recordings.models import Analysis, CoverFragment, Fragment, HumCheck, Humming, Recording, Song

SIZES = (1_000, 10_000)
# Of each fragment: an original, two covers, and seven hums, as many as are asked for.
HUMS, COVERS = 7, 2
OF_A_FRAGMENT = 1 + COVERS + HUMS
FRAGMENTS_OF_A_SONG = 4
SINGERS = 100
RATE, SECONDS = 16_000, 6.0
BOUNDS = ((1.0, 7.0), (8.0, 14.0), (15.0, 21.0), (22.0, 28.0))
ARMS = ("plain FLAC", "first export", "exported again", "verified")


def table() -> list[dict[str, Any]]:
    rows = []
    for size in SIZES:
        with own_database(), tempfile.TemporaryDirectory(prefix="chad-release-bench-") as folder:
            fill(size, Path(folder) / "storage")
            measured = {arm: in_own_process(arm, Path(folder)) for arm in ARMS}
            floor = measured["plain FLAC"]
            rows += [row(size, arm, found, floor) for arm, found in measured.items()]
    return rows


def storage_in(folder: Path) -> override_settings:
    """The storage is a folder of this benchmark's own."""
    backend = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": f"{folder}/storage"},
    }
    return override_settings(STORAGES=settings.STORAGES | {"default": backend})


def row(size: int, arm: str, found: dict[str, float], floor: dict[str, float]) -> dict[str, Any]:
    return {
        "versions": size,
        "arm": arm,
        "ms_a_version": 1000 * found["seconds"] / size,
        "times plain FLAC": found["seconds"] / floor["seconds"],
        "most memory, MB": found["memory_mb"],
        "memory, times plain FLAC": found["memory_mb"] / floor["memory_mb"],
    }


def in_own_process(arm: str, folder: Path) -> dict[str, float]:
    """Seconds and memory of one arm, by a process that knows the database and the folder."""
    told = {"arm": arm, "folder": str(folder), "database": connection.settings_dict["NAME"]}
    program = f"from ml_worker.release_bench import in_this_process; in_this_process({told!r})"
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", program],
        cwd=settings.BASE_DIR,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


# --- what is released


def fill(size: int, storage: Path) -> None:
    """So many versions: songs with four fragments, hums and covers of each, every take a tune of its own."""
    people = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"singer-{number}") for number in range(SINGERS)]
    )
    tunes = tunes_without_end()
    left = size // OF_A_FRAGMENT
    while left > 0:
        count = min(FRAGMENTS_OF_A_SONG, left)
        left -= count
        song = Song.objects.create(title=f"Tune {uuid.uuid4()}", artist="made")
        originals = [made_recording(song, "original", storage, tunes)]
        covers = [made_recording(song, "cover", storage, tunes) for _ in range(COVERS)]
        for start_s, end_s in BOUNDS[:count]:
            fragment = Fragment.objects.create(recording=originals[0], start_s=start_s, end_s=end_s, origin="person")
            CoverFragment.objects.bulk_create([made_cover(fragment, cover) for cover in covers])
            hums = [made_hum(fragment, people, number, storage, tunes) for number in range(HUMS)]
            Humming.objects.bulk_create(hums)
            HumCheck.objects.bulk_create([made_check(hum, storage) for hum in hums])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def tunes_without_end() -> Iterator[bytes]:
    """WAV files of takes that are all unlike: a voice that wanders by chance, with overtones."""
    draw = np.random.default_rng(1)
    times = np.arange(round(SECONDS * RATE)) / RATE
    turns = np.arange(0, SECONDS + 0.2, 0.15)
    while True:
        hz = 110 * 2 ** np.interp(times, turns, draw.uniform(0, 2, len(turns)))
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        voice = sum(np.sin(overtone * phase) / overtone for overtone in (1, 2, 3, 4, 5))
        file = io.BytesIO()
        soundfile.write(file, 0.25 * voice, RATE, format="WAV", subtype="PCM_16")
        yield file.getvalue()


def made_recording(song: Song, kind: str, storage: Path, tunes: Iterator[bytes]) -> Recording:
    parts = [soundfile.read(io.BytesIO(next(tunes)), dtype="int16")[0] for _ in range(5)]
    file = io.BytesIO()
    soundfile.write(file, np.concatenate(parts), RATE, format="FLAC")
    recording = Recording(
        song=song, kind=kind, source="generated", state="ready", licence="CC0-1.0", redistributable=True,
        sample_rate=RATE, channels=1, duration_s=5 * SECONDS,
    )  # fmt: skip
    recording.audio.name = f"recordings/{recording.pk}/audio.flac"
    recording.audio_sha256 = put(storage / recording.audio.name, file.getvalue())
    recording.save()
    melody = f"recordings/{recording.pk}/melody.npz"
    put(storage / melody, melody_of(5 * SECONDS))
    Analysis.objects.create(recording=recording, separation="mix", tracker="made", melody=melody, voiced_share=1.0)
    return recording


def made_cover(fragment: Fragment, recording: Recording) -> CoverFragment:
    return CoverFragment(
        id=uuid.uuid4(), fragment=fragment, recording=recording, start_s=fragment.start_s, end_s=fragment.end_s,
        correlation=0.7, tempo_ratio=1.0, state=CoverFragment.State.MATCHED, checkpoint="made",
    )  # fmt: skip


def made_hum(fragment: Fragment, people: list[Any], number: int, storage: Path, tunes: Iterator[bytes]) -> Humming:
    hum = Humming(
        id=uuid.uuid4(), fragment=fragment, singer=people[(fragment.pk.int + number) % SINGERS],
        state=Humming.State.ACCEPTED, consent_version="made", simulated=True, sample_rate=RATE,
        frames=round(RATE * SECONDS),
    )  # fmt: skip
    hum.audio.name = f"hummings/{hum.pk}/take.wav"
    hum.audio_sha256 = put(storage / hum.audio.name, next(tunes))
    return hum


def made_check(hum: Humming, storage: Path) -> HumCheck:
    melody = f"hummings/{hum.pk}/melody.npz"
    put(storage / melody, melody_of(SECONDS))
    return HumCheck(humming=hum, ok=True, similarity=0.9, offset_s=0.1, tempo_ratio=1.0, method="made", melody=melody)


def melody_of(seconds: float) -> bytes:
    frames = round(100 * seconds)
    file = io.BytesIO()
    np.savez(file, hop_s=0.01, f0_hz=np.full(frames, 220.0, np.float32), voiced=np.ones(frames, bool))
    return file.getvalue()


def put(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


# --- one arm, in a process of its own


def measure(told: dict[str, str]) -> dict[str, float]:
    """Does one arm, and says how long it took and how much memory the process ever had."""
    folder = Path(told["folder"])
    start = time.perf_counter()
    if told["arm"] == "plain FLAC":
        write_plainly(folder)
    elif told["arm"] == "verified":
        faults = releasing_of("verify")(folder / "first").lines
        if faults:
            raise RuntimeError(f"The release has faults, so its time says nothing: {faults[:3]}")
    else:
        out = folder / ("first" if told["arm"] == "first export" else "again")
        releasing_of("publish")("1.0", out)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def releasing_of(name: str) -> Callable[..., Any]:
    """Imported within the arm that needs it: what it loads is a part of its memory."""
    return getattr(import_module("recordings.release"), name)


def write_plainly(folder: Path) -> None:
    """The audio of every version as FLAC, in one folder, by the library alone."""
    out = folder / "plain"
    out.mkdir()
    hums = Humming.objects.values_list("pk", "audio").iterator(chunk_size=200)
    for version, name in hums:
        samples, rate = soundfile.read(folder / "storage" / name, dtype="int16")
        soundfile.write(out / f"{version}.flac", samples, rate, compression_level=1.0)
    originals = Fragment.objects.values_list("pk", "recording__audio", "start_s", "end_s")
    covers = CoverFragment.objects.values_list("pk", "recording__audio", "start_s", "end_s")
    for version, name, start_s, end_s in [*originals, *covers]:
        samples, rate = soundfile.read(
            folder / "storage" / name, start=round(start_s * RATE), stop=round(end_s * RATE), dtype="int16"
        )
        soundfile.write(out / f"{version}.flac", samples, rate, compression_level=1.0)


def in_this_process(told: dict[str, str]) -> None:
    """Prints what was measured, as JSON."""
    connection.settings_dict["NAME"] = told["database"]
    with storage_in(Path(told["folder"])):
        print(json.dumps(measure(told)))
