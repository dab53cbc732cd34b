"""A search in shards: who answers it asks a worker for each part of the index, all side by side, and merges.

A worker of the queue `shard-K` holds the segments K, K + N, K + 2 N and so on of the index open (`Shard`). A message of
Celery's asks it and carries the melody; its reply is the message's result: the best songs of its part, with all that
they are weighed by. None of it is a row. A reply that does not come in time is done without, and the answer says so.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, Self

from celery.exceptions import TimeoutError as NoReply
from celery.result import AsyncResult, allow_join_result
from django.utils.translation import gettext_noop
from kombu.exceptions import OperationalError

from chad_site.celery import app, shard_queue
from ml_worker.audio.melody import Melody
from ml_worker.finding import TOP, Finder, InUse, NoIndex, Sought, made_hum
from ml_worker.fingerprint.checkpoint import UnusableCheckpoint
from ml_worker.models import SearchIndex
from ml_worker.retrieval.index import IndexUnusable, Searcher
from ml_worker.retrieval.index.layout import Manifest
from ml_worker.retrieval.index.open_set import voice_s
from ml_worker.retrieval.index.searcher import NOTHING, Contender, Shard
from ml_worker.retrieval.network_matcher import heard_hum

log = logging.getLogger("chad.searches")

# A shard that owes a reply does not keep the others waiting: after theirs it has this long, seconds.
MOMENT_S = 0.5
# So long a reply is waited for at least, once it may lie there already, seconds.
LOOK_S = 0.05
# After this nobody looks for a reply that is owed any more (CELERY_RESULT_EXPIRES), seconds.
FORGOTTEN_S = 60.0

# A connection to the broker that was cut while nobody searched is made anew; a broker that is away is not waited for.
ONCE_MORE = {"max_retries": 1, "interval_start": 0}

# Stored in English, and translated where it is read.
NONE_THERE = gettext_noop("The songs cannot be searched just now. Wait, or try again in a minute.")


def state_of(manifest: Manifest) -> str:
    """Which songs of an index are found, in a word: the same wherever its folder lies, and in every version of CHAD."""
    return hashlib.sha256(json.dumps([manifest.segments, manifest.forgotten]).encode()).hexdigest()


class Question(NamedTuple):
    """What a shard is asked.

    Attributes:
        shard: which part.
        index: the index' row, by its key.
        state: of the index, as who asks has it open (`state_of`).
        melody: of the hum.
    """

    shard: Shard
    index: int
    state: str
    melody: Melody

    def as_plain(self) -> dict[str, Any]:
        """For a message; the melody of a hum of 15 s has some 10 kB."""
        melody = base64.b64encode(self.melody.to_bytes()).decode("ascii")
        return {"shard": list(self.shard), "index": self.index, "state": self.state, "melody": melody}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of as_plain."""
        melody = Melody.from_bytes(base64.b64decode(plain["melody"]))
        return cls(Shard(*plain["shard"]), plain["index"], plain["state"], melody)


class Reply(NamedTuple):
    """What a shard found.

    Attributes:
        contenders: its best songs.
        took: seconds of each step.
        songs: that it searched.
    """

    contenders: list[Contender]
    took: dict[str, float]
    songs: int

    def as_plain(self) -> dict[str, Any]:
        return {"contenders": [asdict(one) for one in self.contenders], "took": self.took, "songs": self.songs}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of as_plain."""
        contenders = [Contender(**{**one, "figures": tuple(one["figures"])}) for one in plain["contenders"]]
        return cls(contenders, plain["took"], plain["songs"])


# --- a shard


class ShardFinder(Finder):
    """A shard of the index in use, held open by one process."""

    def __init__(self, shard: Shard) -> None:
        super().__init__(shard)
        self._counted: tuple[Searcher | None, int] = None, 0

    def keep_open(self) -> None:
        """Opens the index in use before somebody asks. Where that fails it says so and goes on: others may have it."""
        row = SearchIndex.in_use()
        if row is not None:
            self._had(row)

    def reply_to(self, question: Question) -> Reply | None:
        """What there is in this shard; None where the index that is meant is not here, or not as it is meant.

        Raises:
            NothingHeard: there is no melody in it.
        """
        row = SearchIndex.objects.filter(pk=question.index).first()
        searcher = row and self._had(row)
        if searcher is None:
            return None
        if state_of(searcher.manifest) != question.state:
            log.warning("%s is not in the state here in which it is to be searched.", row)
            return None
        contenders, took = searcher.contenders(question.melody)
        return Reply(contenders, took, self._songs(searcher))

    def _had(self, row: SearchIndex) -> Searcher | None:
        """An index as it lies on this machine. Whether it is to be given up is not for a shard to say."""
        try:
            return self.held(row).searcher
        except (IndexUnusable, UnusableCheckpoint) as problem:
            log.warning("%s cannot be searched here: %s", row, problem)
            return None

    def _songs(self, searcher: Searcher) -> int:
        if self._counted[0] is not searcher:
            self._counted = searcher, len(searcher.keys)
        return self._counted[1]


# --- who asks


class Shards:
    """The workers of all shards, as a process that asks them knows them.

    One that owed a reply the last time is asked like the others, but they are not kept waiting for it, until it has
    replied: late, or to another question.

    Args:
        of: how many there are.
        limit_s: a reply is waited for so long, seconds.
    """

    def __init__(self, of: int, limit_s: float) -> None:
        self.of, self.limit_s = of, limit_s
        self._owed: dict[int, tuple[float, str]] = {}

    def ask(self, index: int, state: str, melody: Melody) -> list[Reply | None]:
        """The replies of all shards; None where there is none in time. Of the arguments `Question` says more."""
        # A task may wait for others of other queues: their workers wait for nobody.
        with allow_join_result():
            asked = [self._asked(Question(Shard(number, self.of), index, state, melody)) for number in range(self.of)]
            until = time.monotonic() + self.limit_s
            replies: dict[int, Reply | None] = {}
            for owes, number in sorted((self._owes(number), number) for number in range(self.of)):
                if owes:
                    until = min(until, time.monotonic() + MOMENT_S)
                replies[number] = self._reply(number, asked[number], until)
        return [replies[number] for number in range(self.of)]

    def _asked(self, question: Question) -> AsyncResult | None:
        """The message on its way; None where the broker is away."""
        try:
            return app.send_task(
                "ml_worker.search_shard",
                [question.as_plain()],
                queue=shard_queue(question.shard.number),
                ignore_result=False,
                retry=True,
                retry_policy=ONCE_MORE,
                expires=self.limit_s,
            )
        except OperationalError as problem:
            log.warning("The broker is away (%s); shard %d is not asked.", problem, question.shard.number)
            return None

    def _reply(self, number: int, asked: AsyncResult | None, until: float) -> Reply | None:
        if asked is None:
            return None
        try:
            told = asked.get(timeout=max(LOOK_S, until - time.monotonic()), propagate=False)
            is_well = asked.successful()
        except NoReply:
            log.warning("Shard %d does not answer.", number)
            self._owed.setdefault(number, (time.monotonic(), asked.id))
            return None
        finally:
            asked.forget()
        self._owed.pop(number, None)
        if not is_well:
            log.error("Shard %d failed: %r", number, told)
            return None
        return None if told is None else Reply.from_plain(told)

    def _owes(self, number: int) -> bool:
        """Whether a shard still owes the reply that was waited for in vain."""
        if number not in self._owed:
            return False
        since, asked = self._owed[number]
        if AsyncResult(asked, app=app).ready():
            del self._owed[number]
            return False
        if time.monotonic() - since > FORGOTTEN_S:
            del self._owed[number]  # the next one that it owes takes its place
        return True


class FinderInShards(Finder):
    """The index in use, whose songs are searched by shard workers. It is open here, too, without any part of it: how
    the songs are weighed and when a tune is told to be there are its own.
    """

    def __init__(self, shards: Shards) -> None:
        super().__init__(NOTHING)
        self.shards = shards

    def find(self, melody: Melody) -> Sought:
        """The songs that a hum may be of, of all shards that answer in time.

        Raises:
            NothingHeard, NoIndex: as of `Finder.find`; NoIndex where no shard with songs answers, too.
        """
        heard_hum(melody)
        index = self.index()
        began = time.perf_counter()
        replies = self.shards.ask(index.row.pk, state_of(index.searcher.manifest), melody)
        there = [reply for reply in replies if reply is not None]
        if len(there) < len(replies) and not sum(reply.songs for reply in there):
            raise NoIndex(NONE_THERE)
        seconds, is_whole = time.perf_counter() - began, len(there) == len(replies)
        return merged(index, there, voice_s=voice_s(melody), is_whole=is_whole, seconds=seconds)

    def wake(self, searcher: Searcher) -> None:
        """The songs are awake elsewhere; here a hum is heard."""
        made_hum()


def merged(index: InUse, replies: Sequence[Reply], *, voice_s: float, is_whole: bool, seconds: float) -> Sought:
    """What the replies of shards come to.

    Args:
        voice_s: the hum's seconds of voice.
        is_whole: whether all shards replied.
        seconds: from asking them to the last reply. The slowest shard's steps are told, and as "asking" what is beyond.
    """
    slowest = max((reply.took for reply in replies), key=lambda took: sum(took.values()))
    took = slowest | {"asking": max(0.0, seconds - sum(slowest.values()))}
    answer = index.searcher.answer([reply.contenders for reply in replies], took, voice_s=voice_s, top=TOP)
    songs = index.row.songs if is_whole else sum(reply.songs for reply in replies)
    return Sought(answer, index, songs, is_whole)
