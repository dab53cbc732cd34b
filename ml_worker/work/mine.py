"""Finds the fragments of a song in its covers, with a checkpoint. The doubtful ones go to the double-check."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from annotation.models import ReviewItem, Verdict
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.fingerprint.fingerprinter import fingerprint
from ml_worker.mining.align import NETWORK_TEMPI, at_any_tempo
from ml_worker.mining.extract import AlignedFragment, MiningSettings, find_fragment
from ml_worker.models import Checkpoint
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import bytes_of, melody_of
from ml_worker.work.fingerprints import fingerprints_of, null_level_of
from recordings.models import CoverFragment, Fragment, Recording, Song

if TYPE_CHECKING:
    from ml_worker.audio.melody import Melody
    from ml_worker.fingerprint.fingerprints import Fingerprints
    from ml_worker.mining.correlation import AtTempo
    from ml_worker.models import Job
    from ml_worker.work import Outcome

STATE_OF_DECISION = {"accepted": CoverFragment.State.MATCHED, "doubtful": CoverFragment.State.DOUBTFUL}
# Two findings of one fragment that share more than this of their time are one occurrence.
SAME_PLACE = 0.5


@dataclass(frozen=True)
class Miner:
    """A checkpoint, ready to mine."""

    row: Checkpoint
    weights: Weights
    settings: MiningSettings

    @classmethod
    def of(cls, row: Checkpoint) -> Miner:
        weights = Weights.from_bytes(bytes_of(row.file))
        return cls(row, weights, MiningSettings(null=null_level_of(row, weights)))

    def cover_at(self, melody: Melody) -> AtTempo:
        def look(heard: Melody) -> Fingerprints:
            return fingerprint(heard, self.weights)

        return at_any_tempo(melody, look, NETWORK_TEMPI)


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    song = Song.objects.get(pk=job.subject)
    report(0.0, f"Mining the covers of {song}")
    counts = mine_song(song, report)
    words = ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "nothing found"
    return f"{song}: {words}.", counts


def mine_song(song: Song, report: Callable[[float, str], None], checkpoint: Checkpoint | None = None) -> dict[str, int]:
    """Mines all analysed covers of a song: how many cover fragments there are in each state.

    Raises:
        CannotBeDone: there is no checkpoint yet, or the song has no analysed original with fragments.
    """
    checkpoint = checkpoint or Checkpoint.objects.latest()
    if checkpoint is None:
        raise CannotBeDone("There is no checkpoint yet. Train one first; it needs double-checked hums.")
    original = song.recordings.analysed().originals().first()
    if original is None or not original.fragments.live().exists():
        raise CannotBeDone(f"{song} has no analysed original with fragments yet.")
    miner = Miner.of(checkpoint)
    covers = list(song.recordings.analysed().covers())
    counts: Counter[str] = Counter()
    for number, cover in enumerate(covers):
        report(number / len(covers), f"{song}: cover {number + 1} of {len(covers)}")
        counts += mine_cover(original, cover, miner)
    return dict(counts)


def mine_cover(original: Recording, cover: Recording, miner: Miner) -> Counter[str]:
    """Finds every fragment of an original in one cover and stores what is found, in place of what was found before.

    What people have judged stays, and a finding at the same place adds nothing to it.
    """
    found = find_all(original, cover, miner)
    with transaction.atomic():
        Recording.objects.select_for_update(of=("self",)).get(pk=cover.pk)
        people_said = Q(state__in=(CoverFragment.State.ACCEPTED, CoverFragment.State.REJECTED))
        # One verdict of two is a person's work already.
        judged = cover.cover_fragments.filter(people_said | Exists(Verdict.objects.of_cover(OuterRef("pk"))))
        cover.cover_fragments.exclude(pk__in=judged.values("pk")).delete()
        known = list(judged)
        for fragment, one in found:
            if not any(same_place(one, before) for before in known if before.fragment_id == fragment.pk):
                store(fragment, cover, one, miner)
    return Counter(cover.cover_fragments.values_list("state", flat=True))


def find_all(original: Recording, cover: Recording, miner: Miner) -> list[tuple[Fragment, AlignedFragment]]:
    """Every occurrence of the original's live fragments in the cover."""
    analysis = original.analysis
    melodies = melody_of(analysis.melody), melody_of(cover.analysis.melody)
    fingerprints, cover_at = fingerprints_of(analysis, miner.row, miner.weights), miner.cover_at(melodies[1])
    return [
        (fragment, one)
        for fragment in original.fragments.live()
        for one in find_fragment(fingerprints, cover_at, fragment.start_s, fragment.end_s, miner.settings, melodies)
    ]


def same_place(found: AlignedFragment, before: CoverFragment) -> bool:
    overlap = min(found.b[1], before.end_s) - max(found.b[0], before.start_s)
    return overlap > SAME_PLACE * min(found.b[1] - found.b[0], before.end_s - before.start_s)


def store(fragment: Fragment, cover: Recording, found: AlignedFragment, miner: Miner) -> CoverFragment:
    start_s, end_s = max(0.0, found.b[0]), min(found.b[1], cover.duration_s)
    row = CoverFragment.objects.create(
        id=uuid.uuid5(fragment.pk, f"{cover.pk} {miner.row.name} {start_s:.3f}"),
        fragment=fragment,
        recording=cover,
        start_s=start_s,
        end_s=end_s,
        correlation=found.correlation,
        tempo_ratio=found.tempo_ratio,
        transposition=found.transposition,
        state=STATE_OF_DECISION[found.decision],
        checkpoint=miner.row.name,
        mining_settings=without_null(asdict(miner.settings)) | {"chance": found.chance},
        null_level=miner.settings.null.floor_at(found.a[1] - found.a[0]),
    )
    if row.state == CoverFragment.State.DOUBTFUL:
        ReviewItem.ask_about(row)
    return row


def without_null(settings: dict[str, Any]) -> dict[str, Any]:
    """The null level is the checkpoint's and stands there."""
    return {name: value for name, value in settings.items() if name != "null"}
