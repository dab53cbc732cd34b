"""Finds the fragments of a song in its covers. The doubtful ones go to the double-check."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from annotation.models import ReviewItem, Verdict
from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.mining.align import PITCH_CURVE, Method
from ml_worker.mining.extract import AlignedFragment, Pair, Watched, pair_of, watch
from ml_worker.mining.known import SAME_PLACE, find_known, overlap
from ml_worker.models import Checkpoint
from ml_worker.work import CannotBeDone, odd, pairs
from ml_worker.work.audio_files import bytes_of, melody_of
from ml_worker.work.calibrate import sureness_of
from ml_worker.work.fingerprints import fingerprints_of, null_level_of
from recordings.models import Analysis, CoverFragment, Fragment, Recording, Song

if TYPE_CHECKING:
    from ml_worker.fingerprint.fingerprints import Fingerprints
    from ml_worker.models import Job
    from ml_worker.work import Outcome

STATE_OF_DECISION = {"accepted": CoverFragment.State.MATCHED, "doubtful": CoverFragment.State.DOUBTFUL}


@dataclass(frozen=True)
class Miner:
    """What is mined with: a checkpoint, or the plain pitch curves where there is none."""

    method: Method
    checkpoint: Checkpoint | None = None
    weights: Weights | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint | None) -> Miner:
        """With the checkpoint's null level and sureness, which are measured where they were not yet."""
        if checkpoint is None:
            return cls(PITCH_CURVE)
        weights = Weights.from_bytes(bytes_of(checkpoint.file))
        null = null_level_of(checkpoint, weights)
        sureness = sureness_of(checkpoint, Method.of_checkpoint(weights, null))
        return cls(Method.of_checkpoint(weights, null, sureness), checkpoint, weights)

    def pair(self, original: Recording, cover: Recording) -> Pair:
        """Two analysed recordings as the steps of mining see them."""
        melodies = melody_of(original.analysis.melody), melody_of(cover.analysis.melody)
        looked = self.original(original.analysis, melodies[0])
        return pair_of(looked, self.method.cover_at(melodies[1]), self.method.settings, melodies)

    def original(self, analysis: Analysis, melody: Melody) -> Fingerprints:
        """The fingerprints of an original, kept where a checkpoint made them."""
        if self.checkpoint and self.weights:
            return fingerprints_of(analysis, self.checkpoint, self.weights)
        return self.method.look(melody)


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    song = Song.objects.get(pk=job.subject)
    report(0.0, f"Mining the covers of {song}")
    counts = mine_song(song, report)
    words = ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "nothing found"
    return f"{song}: {words}.", counts


def mine_song(song: Song, report: Callable[[float, str], None], checkpoint: Checkpoint | None = None) -> dict[str, int]:
    """Mines all analysed covers of a song: how many cover fragments there are in each state.

    Raises:
        CannotBeDone: the song has no analysed original with fragments.
    """
    original = song.recordings.analysed().originals().first()
    if original is None or not original.fragments.live().exists():
        raise CannotBeDone(f"{song} has no analysed original with fragments yet.")
    miner = Miner.of(checkpoint or Checkpoint.objects.to_mine_with())
    covers = list(song.recordings.analysed().covers())
    counts: Counter[str] = Counter()
    for number, cover in enumerate(covers):
        report(number / len(covers), f"{song}: cover {number + 1} of {len(covers)}")
        counts += mine_cover(original, cover, miner)
    report(1.0, f"{song}: looking for duplicates and for covers of other songs")
    odd.look_at(original, covers, miner)
    return dict(counts)


def mine_cover(original: Recording, cover: Recording, miner: Miner) -> Counter[str]:
    """Finds every fragment of an original in one cover and stores what is found, in place of what was found before.

    What people have judged stays, and a finding at the same place adds nothing to it. The pair is kept with what a
    person wants to see of it.
    """
    began = time.perf_counter()
    pair = miner.pair(original, cover)
    watched = watch(pair)
    found = known_in(original, pair, watched)
    took_s = time.perf_counter() - began
    with transaction.atomic():
        Recording.objects.select_for_update(of=("self",)).get(pk=cover.pk)
        people_said = Q(state__in=(CoverFragment.State.ACCEPTED, CoverFragment.State.REJECTED))
        # One verdict of two is a person's work already, and so is a report on a released one.
        begun = Exists(Verdict.objects.of_cover(OuterRef("pk"))) | Q(review__reported_at__isnull=False)
        judged = cover.cover_fragments.filter(people_said | begun)
        cover.cover_fragments.exclude(pk__in=judged.values("pk")).delete()
        known = list(judged)
        for fragment, one in found:
            if not any(same_place(one, before) for before in known if before.fragment_id == fragment.pk):
                store(fragment, cover, one, miner.method)
        pairs.store(original, cover, pair, watched, miner.method.name, took_s, lines_found=bool(found))
    return Counter(cover.cover_fragments.values_list("state", flat=True))


def find_all(original: Recording, cover: Recording, miner: Miner) -> list[tuple[Fragment, AlignedFragment]]:
    """Every occurrence of the original's live fragments in the cover."""
    pair = miner.pair(original, cover)
    return known_in(original, pair, watch(pair))


def known_in(original: Recording, pair: Pair, watched: Watched) -> list[tuple[Fragment, AlignedFragment]]:
    """Every occurrence of the original's live fragments in what was watched."""
    fragments = {(fragment.start_s, fragment.end_s): fragment for fragment in original.fragments.live()}
    found = find_known(pair, list(fragments), watched)
    return [(fragments[interval], one) for interval, ones in found.items() for one in ones]


def same_place(found: AlignedFragment, before: CoverFragment) -> bool:
    return overlap(found.b, (before.start_s, before.end_s)) > SAME_PLACE


def as_fields(fragment: Fragment, cover: Recording, found: AlignedFragment) -> dict[str, Any]:
    """What every row of a fragment that was found in a cover says of it."""
    return {
        "fragment": fragment,
        "recording": cover,
        "start_s": max(0.0, found.b[0]),
        "end_s": min(found.b[1], cover.duration_s),
        "correlation": found.correlation,
        "tempo_ratio": found.tempo_ratio,
        "transposition": found.transposition,
        "probability": found.probability,
        "evidence": found.evidence.as_dict(),
    }


def store(fragment: Fragment, cover: Recording, found: AlignedFragment, method: Method) -> CoverFragment:
    fields = as_fields(fragment, cover, found)
    row = CoverFragment.objects.create(
        id=uuid.uuid5(fragment.pk, f"{cover.pk} {method.name} {fields['start_s']:.3f}"),
        **fields,
        state=STATE_OF_DECISION[found.decision],
        checkpoint=method.name,
        mining_settings=method.settings.as_dict(),
        null_level=method.null.floor_at(found.a[1] - found.a[0]),
    )
    if row.state == CoverFragment.State.DOUBTFUL:
        ReviewItem.ask_about(row)
    return row
