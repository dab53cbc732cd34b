"""How well mining works, on the plain pitch curves or with a checkpoint: `python -m ml_worker.mining.measure`.

Prints, for fragments found anywhere ("free") and for known fragments ("anchored"): precision, recall and start error
against the true time maps of covers of the starter catalogue, false fragments between unrelated tunes, the tempo ratios
of alignment/sir_duke, and the time that two recordings of four minutes take.

  --with M      pitch-curve (the default), short or long (the starter checkpoints), or a checkpoint's file, whose null
                level is measured first; several times for several tables on the same recordings
  --every N     every Nth tune of the catalogue (4)
  --rendered    from audio: rendered, the voice separated, the melody tracked; otherwise from the notes, as a
                singer sings them and a faultless tracker would hear them
  --null        instead, measures the null level of the plain pitch curves on tunes of ../shared/data

The figures are synthetic: covers made by rule from the same score. "Strict" counts a fragment as wrong that is found
where the cover plays the same music again from another place of the score; the other figures do not.
"""

from __future__ import annotations

import argparse
import os
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.audio.melody_files import melody_of_midi, read_melody
from ml_worker.audio.separation import separate
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import TimedNote, Tune, render_cover, render_original, tunes
from ml_worker.catalogue.covers import cover_performance, ornamented, plan_cover
from ml_worker.catalogue.performance import as_written, time_map
from ml_worker.mining.align import PITCH_CURVE, Method, align_melodies, at_any_tempo
from ml_worker.mining.curve import METHOD, curve_fingerprints
from ml_worker.mining.extract import TEMPO_RATIOS, AlignedFragment, Interval, MiningSettings, pair_of, watch
from ml_worker.mining.gold import Agreement, TimeMap, agreement, agreement_on_fragments, repeats, through_repeats
from ml_worker.mining.known import find_known
from ml_worker.mining.null import calibrate

DATA = Path(os.environ.get("CHAD_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
COVERS = (1, 2)

# Each original is mined against covers of this many other tunes.
UNRELATED_PER_TUNE = 2

# The null level: tunes of each collection, in pairs; what is longer is cut. Seconds.
NULL_TUNES, NULL_SHORTEST_S, NULL_CUT_S = 32, 30.0, 90.0
COLLECTIONS = ("cre", "pop909", "nottingham")

# A singer from notes: hop of the curve (seconds), how far notes are off (semitones), vibrato.
Known = dict[Interval, list[AlignedFragment]]

HOP_S, DRIFT_ST, VIBRATO_ST, VIBRATO_HZ = 0.02, 0.15, 0.2, 5.5


@dataclass(frozen=True)
class Played:
    """A recording of a tune: what a tracker heard, and the truth."""

    melody: Melody
    notes: Sequence[TimedNote]
    phrases: Sequence[Interval]
    time_map: TimeMap


# --- recordings


def from_notes(tune: Tune, number: int) -> Played:
    """The original (0) or a cover (1, 2, ...) of a tune, its curve drawn from its notes."""
    rng = np.random.default_rng(zlib.crc32(f"{tune.slug} {number}".encode()))
    original = as_written(tune)
    performance, notes = original, original.notes()
    if number:
        performance = cover_performance(tune, plan_cover(tune, number, rng), rng)
        notes = ornamented(performance.notes(), tune, performance.transposition, rng)
    return Played(_sung(notes, rng), notes, performance.phrases_s(), time_map(original, performance))


def from_audio(tune: Tune, number: int) -> Played:
    """The same rendered to audio, its voice separated and its melody tracked as the platform does."""
    rendering = render_cover(tune, number, seed=0) if number else render_original(tune)
    melody = track_melody(separate(rendering.mix).sound)
    return Played(melody, rendering.notes, rendering.phrases, rendering.time_map)


def _sung(notes: Sequence[TimedNote], rng: np.random.Generator) -> Melody:
    seconds = np.arange(0, notes[-1].end_s + 1, HOP_S)
    pitch = np.full(len(seconds), np.nan)
    for note in notes:
        pitch[(seconds >= note.start_s) & (seconds < note.end_s)] = note.pitch + rng.normal(0, DRIFT_ST)
    pitch += VIBRATO_ST * np.sin(2 * np.pi * VIBRATO_HZ * seconds)
    voiced = ~np.isnan(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch) - 69) / 12), 0).astype(np.float32)
    return Melody(HOP_S, f0_hz, voiced, voiced.astype(np.float32), "notes")


# --- against the truth


@dataclass
class Tally:
    """Agreements of many pairs, of all fragments found and of the accepted ones."""

    of_all: list[Agreement] = field(default_factory=list)
    of_accepted: list[Agreement] = field(default_factory=list)
    strict: list[Agreement] = field(default_factory=list)

    def rows(self, name: str) -> Iterator[str]:
        yield _row(f"{name}, all", self.of_all)
        yield _row(f"{name}, accepted", self.of_accepted)
        yield _row(f"{name}, all, strict", self.strict)


def _row(name: str, agreements: Sequence[Agreement]) -> str:
    row = figures(name, agreements)
    errors = [error for one in agreements for error in one.start_errors_s]
    median, ninth = np.quantile(errors, [0.5, 0.9]) if errors else (np.nan, np.nan)
    counted = f"{name:26s} {row['found']:6d} {row['precision']:10.3f} {row['recall']:8.3f}"
    return f"{counted} {median:9.3f} s {ninth:9.3f} s"


def compare(original: Played, cover: Played, method: Method, free: Tally, anchored: Tally) -> None:
    """Mines a cover both ways and adds what agrees to the tallies."""
    alike = through_repeats(repeats(original.notes), cover.time_map)
    found, known = mined(original, cover, method)
    for tally, judge, all_found, accepted in (
        (free, agreement, found, _accepted(found)),
        (anchored, agreement_on_fragments, known, {a: _accepted(ones) for a, ones in known.items()}),
    ):
        tally.of_all.append(judge(all_found, cover.time_map, alike=alike))
        tally.of_accepted.append(judge(accepted, cover.time_map, alike=alike))
        tally.strict.append(judge(all_found, cover.time_map))


def _accepted(found: Sequence[AlignedFragment]) -> list[AlignedFragment]:
    return [one for one in found if one.decision == "accepted"]


def mined(original: Played, cover: Played, method: Method) -> tuple[list[AlignedFragment], Known]:
    """What free mining finds, and what anchored mining finds of each phrase."""
    pair = method.pair(original.melody, cover.melody)
    watched = watch(pair)
    return watched.kept, find_known(pair, original.phrases, watched)


def false_fragments(originals: Sequence[Played], covers: Sequence[Sequence[Played]], method: Method) -> Iterator[str]:
    """Fragments between tunes that have nothing to do with each other, for each pair."""
    free: list[AlignedFragment] = []
    anchored: list[AlignedFragment] = []
    pairs = 0
    for number, original in enumerate(originals):
        for away in range(1, UNRELATED_PER_TUNE + 1):
            other = covers[(number + away) % len(covers)][away % len(COVERS)]
            found, known = mined(original, other, method)
            free += found
            anchored += [one for ones in known.values() for one in ones]
            pairs += 1
    for name, found in (("free", free), ("anchored, all phrases", anchored)):
        accepted = len(_accepted(found))
        doubtful = len(found) - accepted
        yield f"{name:26s} {accepted / pairs:8.3f} accepted, {doubtful / pairs:.3f} doubtful, {pairs} pairs"


def table(every: int = 4) -> list[dict[str, Any]]:
    """For `make bench`: mining on plain pitch curves, sung from the notes; synthetic."""
    free, anchored = Tally(), Tally()
    for tune in tunes()[::every]:
        original = from_notes(tune, 0)
        for number in COVERS:
            compare(original, from_notes(tune, number), PITCH_CURVE, free, anchored)
    named = {"free": free, "anchored": anchored}
    return [
        figures(f"{name}, {what}", agreements)
        for name, tally in named.items()
        for what, agreements in (("accepted", tally.of_accepted), ("all", tally.of_all), ("all, strict", tally.strict))
    ]


def figures(name: str, agreements: Sequence[Agreement]) -> dict[str, Any]:
    found, right = sum(one.found for one in agreements), sum(one.right for one in agreements)
    errors = [error for one in agreements for error in one.start_errors_s]
    return {
        "mined": name,
        "found": found,
        "precision": right / max(found, 1),
        "recall": float(np.mean([one.recall for one in agreements])),
        "start error, s": float(np.median(errors)) if errors else None,
    }


def starter_catalogue(record: Callable[[Tune, int], Played], every: int, methods: Sequence[Method]) -> None:
    """Prints both tables for every Nth tune, of each method on the same recordings."""
    chosen = tunes()[::every]
    originals = [record(tune, 0) for tune in chosen]
    covers = [[record(tune, number) for number in COVERS] for tune in chosen]
    for method in methods:
        free, anchored = Tally(), Tally()
        for original, versions in zip(originals, covers, strict=True):
            for version in versions:
                compare(original, version, method, free, anchored)
        how = record.__name__.replace("_", " ")
        print(f"\n{method.name}: {len(chosen)} tunes, {len(COVERS)} covers each, {how}")
        print(f"{'':26s} {'found':>6s} {'precision':>10s} {'recall':>8s} {'start':>11s} {'9 of 10':>11s}")
        print("\n".join([*free.rows("free"), *anchored.rows("anchored")]))
        print("\nfalse fragments per unrelated pair")
        print("\n".join(false_fragments(originals, covers, method)))


# --- real recordings, and time


def sir_duke(method: Method) -> None:
    """One riff on two instruments at two tempi: what `align` would say of each pair."""
    folder = DATA / "alignment" / "sir_duke"
    if not folder.exists():
        print("\nalignment/sir_duke is not here; CHAD_SHARED_DATA says where the shared data is.")
        return
    takes = {file.stem.removeprefix("sir_duke_"): read_melody(file) for file in sorted(folder.glob("*.mp3"))}
    print("\nalignment/sir_duke")
    for a, first in takes.items():
        for b, second in takes.items():
            if a < b:
                found = align_melodies(first, second, method)
                said = "; ".join(f"{one['a']} to {one['b']}, tempo ratio {one['tempo_ratio']}" for one in found)
                print(f"{a} against {b}: {said or 'nothing'}")


def speed(method: Method) -> None:
    """Two recordings of four minutes, in seconds of processor time: other work on the machine does not count."""
    original, cover = (_long(number) for number in (0, 1))
    began = time.process_time()
    fingerprints, cover_at = method.look(original), method.cover_at(cover)
    for ratio in TEMPO_RATIOS:
        cover_at(ratio)
    prepared = time.process_time()
    watch(pair_of(fingerprints, cover_at, method.settings, (original, cover)))
    mined_s = time.process_time() - prepared
    print("\ntwo recordings of four minutes, processor time")
    print(f"fingerprints {prepared - began:.2f} s, mining {mined_s:.2f} s")


def _long(number: int) -> Melody:
    """Tunes of the catalogue in a row, four minutes of them; the second is played slower."""
    parts = [from_notes(tune, 0).melody for tune in tunes()[number : number + 8]]
    f0_hz = np.concatenate([part.f0_hz for part in parts])[: round(240 / HOP_S)]
    as_written = Melody(HOP_S, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "notes")
    return as_written.faster(1 / (1 + 0.1 * number))


# --- the null level


def null_level() -> None:
    """Prints the null level of plain pitch curves over pairs of unrelated folk and pop tunes."""
    pairs = []
    for collection in COLLECTIONS:
        found = list(_collected(collection))
        for one, other in zip(found[::2], found[1::2], strict=False):
            pairs.append((curve_fingerprints(one), at_any_tempo(other, curve_fingerprints)))
    print(calibrate(pairs, TEMPO_RATIOS, MiningSettings.least_voiced))


def _collected(collection: str) -> Iterator[Melody]:
    """The first `NULL_TUNES` melodies, in an order of their own, that are long enough."""
    with zipfile.ZipFile(DATA / "melodies" / f"{collection}.zip") as archive, TemporaryDirectory() as folder:
        names = [name for name in archive.namelist() if name.endswith(".mid")]
        names.sort(key=lambda name: zlib.crc32(name.encode()))
        left = NULL_TUNES
        for name in names:
            file = Path(folder, "tune.mid")
            file.write_bytes(archive.read(name))
            melody = melody_of_midi(file)
            if melody.duration_s >= NULL_SHORTEST_S and left:
                left -= 1
                yield melody.cut(0, NULL_CUT_S)


def method_of(name: str) -> Method:
    """The pitch curves, a starter checkpoint by its kind, or a checkpoint by its file."""
    if name == METHOD:
        return PITCH_CURVE
    # Only here is torch needed, which takes seconds to import.
    from ml_worker.fingerprint import shipped
    from ml_worker.fingerprint.checkpoint import Checkpoint

    checkpoint = shipped.starter_checkpoint(name) if name in shipped.KINDS else Checkpoint.load(Path(name))
    null = shipped.starter_null(name) if name in shipped.KINDS else None
    sureness = shipped.starter_sureness(name) if name in shipped.KINDS else None
    return Method.of_checkpoint(checkpoint, null or shipped.measure_null(checkpoint), sureness)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="methods", action="append", metavar="M")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--rendered", action="store_true")
    parser.add_argument("--null", action="store_true")
    asked = parser.parse_args()
    if asked.null:
        null_level()
        return
    methods = [method_of(name) for name in asked.methods or [METHOD]]
    starter_catalogue(from_audio if asked.rendered else from_notes, asked.every, methods)
    for method in methods:
        print(f"\n{method.name}")
        sir_duke(method)
        speed(method)


if __name__ == "__main__":
    main()
