"""Control items for the double-check: made of accepted pairs, some as they are, some spoiled, as many as are useful."""

from __future__ import annotations

import hashlib
import logging
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from annotation.double_check import control_items
from annotation.double_check.control_items import in_need, retire_doubtful, wanted
from annotation.models import Control, ReviewItem, Verdict
from ml_worker.audio.flac import to_flac
from ml_worker.audio.sound import UnusableAudio
from ml_worker.work.control_faults import Fault, Pair, Shown, as_json
from recordings.models import CoverFragment, Fragment, Humming
from recordings.storage import put

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome

log = logging.getLogger("chad.jobs")

# How many are made of one pair, whatever became of them; and where somebody has met nearly all that there are.
OF_ONE_PAIR, OF_ONE_PAIR_IN_NEED = 2, len(Fault)
# Good and bad in equal parts: who always rejects must fail as surely as who always accepts.
MIX = {Fault.AS_IS: 0.5} | dict.fromkeys((Fault.SHIFTED, Fault.SWAPPED, Fault.TRANSPOSED, Fault.CUT), 0.125)
# A pair can be good once only. So many bad ones may be left over when somebody has met all good ones: too few to pass
# the training, or to win trust back, by rejecting them all.
MORE_BAD = 6
# One job makes so many; a hum that somebody waits for may be behind it.
AT_ONCE = 60
# Accepted pairs of each kind that one job looks at, drawn by lot.
LOOKED_AT = 150
# Another fragment than the pair's own is at most this much longer or shorter.
STRETCH = 1.15
# Waiting items that the similarities shown are drawn from.
SIMILARITIES = 200
NO_PAIRS = "There are no accepted pairs yet to make control items of; they come with the first settled items."
NOTHING_LEFT = "No accepted pair is left to make more control items of. In use: {live}."


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    report(0.0, "Looking for accepted pairs")
    gone = retire_doubtful()
    made = Making.begin().make(report)
    live = Control.objects.live().count()
    enough = live >= wanted()
    counts = {"made": sum(made.values()), "retired": gone, "live": live, "faults": dict(made)}
    counts["nothing_left"] = not enough and made.total() < AT_ONCE
    words = f"{items(gone)} retired. " if gone else ""
    if made:
        kinds = ", ".join(f"{number} {Fault(fault).label}" for fault, number in sorted(made.items()))
        return f"{words}{items(made.total())} made: {kinds}. In use: {live}.", counts
    if enough:
        return f"{words}There are enough control items: {live}.", counts
    return words + (NOTHING_LEFT.format(live=live) if sources_exist() else NO_PAIRS), counts


def items(number: int) -> str:
    return "1 control item was" if number == 1 else f"{number} control items were"


# --- what they are made of


def accepted_hums() -> QuerySet[Humming]:
    """Hums that people accepted and that may be changed: their singers' licence allows it."""
    hums = Humming.objects.accepted().exclude(audio="").exclude(licence__contains="-ND")
    return hums.filter(check_result__offset_s__isnull=False, check_result__tempo_ratio__gt=0)


def accepted_covers() -> QuerySet[CoverFragment]:
    """Cover fragments that people accepted; what the machine alone is sure of is no truth to judge people by."""
    return CoverFragment.objects.accepted().filter(
        state=CoverFragment.State.ACCEPTED, recording__song__taken_down_at=None
    )


def sources_exist() -> bool:
    return accepted_hums().exists() or accepted_covers().exists()


# --- making them


@dataclass
class Making:
    """One job's making: which pairs there are, and what was made of which."""

    pairs: list[Pair]
    faults_of: dict[UUID, set[str]]  # of each source, retired ones included
    wanted: int  # live ones
    in_need: set[int] = field(default_factory=set)  # people who have met nearly all
    known_to: Counter[UUID] = field(default_factory=Counter)  # by source, how many of them know the pair
    live: Counter[str] = field(default_factory=Counter)  # by fault
    songs: Counter[UUID] = field(default_factory=Counter)  # live ones by song
    kinds: Counter[type] = field(default_factory=Counter)  # live ones by kind of source
    hopeless: set[tuple[UUID, str]] = field(default_factory=set)

    @classmethod
    def begin(cls) -> Making:
        faults_of: dict[UUID, set[str]] = defaultdict(set)
        for hum, cover, fault in Control.objects.values_list("humming", "cover_fragment", "fault"):
            faults_of[hum or cover].add(fault)
        people = set(in_need())
        most = OF_ONE_PAIR_IN_NEED if people else OF_ONE_PAIR
        full = [source for source, faults in faults_of.items() if len(faults) >= most]
        known = "fragment__recording__song"
        hums = accepted_hums().exclude(pk__in=full).select_related(known, "check_result").order_by("?")[:LOOKED_AT]
        covers = accepted_covers().exclude(pk__in=full).select_related(known, "recording").order_by("?")[:LOOKED_AT]
        making = cls([Pair(source) for source in [*hums, *covers]], faults_of, wanted(), people)
        judged = Verdict.objects.filter(person__in=people, item__control=None).order_by()
        for hum, cover, _ in judged.values_list("item__humming", "item__cover_fragment", "person").distinct():
            making.known_to[hum or cover] += 1
        for pair in making.pairs:
            making.known_to[pair.source.pk] += getattr(pair.source, "singer_id", None) in people
        for control in Control.objects.live().select_related(
            "humming__fragment__recording", "cover_fragment__fragment__recording"
        ):
            making.count(control.source, control.fault)
        return making

    def count(self, source: Humming | CoverFragment, fault: str) -> None:
        self.live[fault] += 1
        self.songs[source.fragment.recording.song_id] += 1
        self.kinds[type(source)] += 1

    def make(self, report: Callable[[float, str], None]) -> Counter[str]:
        """Makes what is missing, as far as there are pairs: how many of each fault."""
        made: Counter[str] = Counter()
        faults = set(MIX)
        while faults and made.total() < AT_ONCE and self.live.total() < self.wanted:
            fault = max(sorted(faults), key=self.lacking)
            if (fault == Fault.AS_IS or self.more_bad < MORE_BAD) and self.make_one(fault):
                made[fault] += 1
                report(self.live.total() / self.wanted, f"{items(made.total())} made")
            else:
                faults.discard(fault)
        return made

    @property
    def more_bad(self) -> int:
        """How many more bad ones there are than good ones."""
        return self.live.total() - 2 * self.live[Fault.AS_IS]

    def lacking(self, fault: str) -> float:
        """How many of this fault are missing, if one more is made in all."""
        return MIX[fault] * (self.live.total() + 1) - self.live[fault]

    def make_one(self, fault: str) -> bool:
        for pair in sorted(self.open_for(fault), key=self.turn):
            source = pair.source
            try:
                shown = pair.with_fault(fault, others)
            except (UnusableAudio, FileNotFoundError) as problem:
                log.warning("No control item is made of %s: %s", source, problem)
                shown = None
            if shown and store(source, fault, shown):
                self.faults_of[source.pk].add(fault)
                self.count(source, fault)
                return True
            self.hopeless.add((source.pk, fault))
        return False

    def open_for(self, fault: str) -> Iterator[Pair]:
        for pair in self.pairs:
            done = self.faults_of[pair.source.pk]
            if self.may_give(pair, len(done)) and fault not in done and (pair.source.pk, fault) not in self.hopeless:
                yield pair

    def may_give(self, pair: Pair, before: int) -> bool:
        """Beyond the usual number only those pairs give one that somebody in need has not judged, and may be asked."""
        if self.in_need and self.known_to[pair.source.pk] < len(self.in_need):
            return before < OF_ONE_PAIR_IN_NEED
        return before < OF_ONE_PAIR and self.live.total() < control_items.WANTED

    def turn(self, pair: Pair) -> tuple[int, int, int, int, str]:
        """Spreads them over pairs, songs and kinds; what is equal comes by lot, the same each time."""
        source = pair.source
        song = source.fragment.recording.song_id
        lot = hashlib.sha256(source.pk.bytes).hexdigest()
        given = len(self.faults_of[source.pk])
        return self.known_to[source.pk], given, self.songs[song], self.kinds[type(source)], lot


def others(shown: Shown) -> Iterator[Fragment]:
    """Fragments about as long as the one that is shown, those of other songs first."""
    own = shown.fragment
    alike = (
        Fragment.objects.live()
        .filter(recording__analyses__isnull=False)
        .alias(length_s=F("end_s") - F("start_s"))
        .filter(length_s__range=(own.duration_s / STRETCH, own.duration_s * STRETCH))
        .exclude(pk=own.pk)
        .distinct()
    )
    chance = random.Random(f"others {own.pk}")
    for songs in (alike.exclude(recording__song=own.song), alike.filter(recording__song=own.song)):
        ids = sorted(songs.values_list("pk", flat=True))
        chance.shuffle(ids)
        for fragment_id in ids:
            yield Fragment.objects.select_related("recording__song").get(pk=fragment_id)


def similarity_like(source: Humming | CoverFragment, fault: str) -> float | None:
    """A similarity to show that tells nothing: one of those that wait, else the pair's own."""
    waiting = ReviewItem.objects.waiting().filter(sureness__gt=0)
    waiting = waiting.exclude(humming=None) if isinstance(source, Humming) else waiting.exclude(cover_fragment=None)
    drawn = list(waiting.order_by("pk").values_list("sureness", flat=True)[:SIMILARITIES])
    if drawn:
        return random.Random(f"similarity {source.pk} {fault}").choice(drawn)
    return source.check_result.similarity if isinstance(source, Humming) else source.correlation


def store(source: Humming | CoverFragment, fault: str, shown: Shown) -> Control | None:
    """Writes a control item; None where its source is accepted no more. Twice is once."""
    of = {"humming": source} if isinstance(source, Humming) else {"cover_fragment": source}
    similarity = similarity_like(source, fault)
    control = Control(
        id=uuid.uuid5(source.pk, f"control {fault}"),
        **of,
        fragment=shown.fragment,
        fault=fault,
        facts=shown.facts,
        curve=as_json(shown.pitch),
        duration_s=shown.duration_s,
        offset_s=shown.offset_s,
        tempo_ratio=shown.tempo_ratio,
        transposition=shown.transposition,
        similarity=similarity,
    )
    if shown.sound:
        put(control.audio, "version.flac", to_flac(shown.sound))
    with transaction.atomic():
        # Asked under the lock: it may be withdrawn, or put back into the queue, meanwhile.
        now = type(source).objects.select_for_update(of=("self",)).get(pk=source.pk)
        if now.state == type(source).State.ACCEPTED:
            known, is_new = Control.objects.get_or_create(**of, fault=fault, defaults=fields_of(control))
            if is_new:
                ReviewItem.objects.create(
                    control=known, state=ReviewItem.State.CONTROL, sureness=similarity or 0.0, missing=0
                )
            return known
    if control.audio:
        control.audio.delete(save=False)
    return None


def fields_of(control: Control) -> dict[str, object]:
    names = (
        "id", "fragment", "facts", "audio", "curve", "duration_s", "offset_s", "tempo_ratio", "transposition",
        "similarity",
    )  # fmt: skip
    return {name: getattr(control, name) for name in names}
