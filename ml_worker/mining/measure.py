"""How well mining works, on the plain pitch curves or with a checkpoint: `python -m ml_worker.mining.measure`.

Prints, for fragments found anywhere ("free") and for known fragments ("anchored"): precision, recall and start error
against the true time maps of covers of the starter catalogue, false fragments between unrelated tunes, what `align`
says of alignment/sir_duke and alignment/mozart_k265 of ../shared/data, and the time that two recordings of four minutes
take.

  --with M      pitch-curve (the default), short or long (the starter checkpoints), or a checkpoint's file, whose null
                level is measured first; several times for several tables on the same recordings
  --every N     every Nth tune of the catalogue (4)
  --rendered    from audio: rendered, the voice separated, the melody tracked; otherwise from the notes, as a
                singer sings them and a faultless tracker would hear them
  --real        only the real recordings; with all methods that come with CHAD unless --with names others
  --many N      instead, N pairs in a row: pairs a minute, memory, what the look before the map spares; and long ones
  --null        instead, measures the null level of the plain pitch curves on tunes of ../shared/data

The figures of covers are synthetic: covers made by rule from the same score. "Strict" counts a fragment as wrong that
is found where the cover plays the same music again from another place of the score; the other figures do not. How the
miner compares with other methods: `python -m ml_worker.mining.compare`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ml_worker.catalogue import Tune, tunes
from ml_worker.mining.align import PITCH_CURVE, Method, at_any_tempo, shipped_methods
from ml_worker.mining.curve import METHOD, curve_fingerprints
from ml_worker.mining.extract import TEMPO_RATIOS, AlignedFragment, Interval, MiningSettings, watch
from ml_worker.mining.gold import Agreement, agreement, agreement_on_fragments, repeats, through_repeats
from ml_worker.mining.known import find_known
from ml_worker.mining.labelled import UNRELATED_PER_TUNE, null_tunes
from ml_worker.mining.many import long_pair_in_words, many_in_words
from ml_worker.mining.null import calibrate
from ml_worker.mining.played import COVERS, Played, from_audio, from_notes
from ml_worker.mining.real import mozart, sir_duke

# The collections whose tunes the null level is measured on.
COLLECTIONS = ("cre", "pop909", "nottingham")

Known = dict[Interval, list[AlignedFragment]]


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
    found, right = sum(one.found for one in agreements), sum(one.right for one in agreements)
    recall = np.mean([one.recall for one in agreements])
    errors = [error for one in agreements for error in one.start_errors_s]
    median, ninth = np.quantile(errors, [0.5, 0.9]) if errors else (np.nan, np.nan)
    counted = f"{name:26s} {found:6d} {right / max(found, 1):10.3f} {recall:8.3f}"
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


# --- the null level


def null_level() -> None:
    """Prints the null level of plain pitch curves over pairs of unrelated folk and pop tunes."""
    pairs = []
    for collection in COLLECTIONS:
        found = [melody for _, melody in null_tunes(collection)]
        for one, other in zip(found[::2], found[1::2], strict=False):
            pairs.append((curve_fingerprints(one), at_any_tempo(other, curve_fingerprints)))
    print(calibrate(pairs, TEMPO_RATIOS, MiningSettings.least_voiced))


# --- by command


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


def _print_real(methods: Sequence[Method]) -> None:
    print(f"\nreal recordings, {' and '.join(method.name for method in methods)}")
    for name, lines in {"alignment/sir_duke": sir_duke, "alignment/mozart_k265 against its recording": mozart}.items():
        print(f"\n{name}")
        for line in lines(methods):
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="methods", action="append", metavar="M")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--rendered", action="store_true")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--many", type=int, metavar="N")
    parser.add_argument("--null", action="store_true")
    asked = parser.parse_args()
    if asked.null:
        null_level()
        return
    methods = [method_of(name) for name in asked.methods or [METHOD]]
    if not asked.real and not asked.many:
        starter_catalogue(from_audio if asked.rendered else from_notes, asked.every, methods)
    if not asked.many:
        _print_real(methods if asked.methods else shipped_methods())
    if not asked.real:
        for method in methods:
            print(f"\n{method.name}")
            for line in many_in_words(method, asked.many) if asked.many else ():
                print(line, flush=True)
            for line in long_pair_in_words(method):
                print(line)


if __name__ == "__main__":
    main()
