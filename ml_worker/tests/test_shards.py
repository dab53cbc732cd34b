"""Searches in shards: asked by messages, merged, and whole again after a shard was away; by real workers, too."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from annotation import search_answers
from annotation.models import Search
from annotation.models.searches import PATIENCE
from chad_site import settings as site
from chad_site.celery import app, send, shard_queue
from chad_site.supervisor import children
from chad_site.supervisor.preflight import Unfit, search_shards
from chad_site.tests.services import Worker, started_worker, wait_until
from ml_worker import finding, shards
from ml_worker.audio.melody import Melody
from ml_worker.finding import Finder, answer_all, hear
from ml_worker.models import SearchIndex
from ml_worker.retrieval.index.layout import Manifest
from ml_worker.retrieval.index.searcher import Contender, Shard
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.shards import MOMENT_S, NONE_THERE, FinderInShards, Question, Reply, ShardFinder, Shards, state_of
from ml_worker.tests.made_index import answered_by_workers, hum_of, indexed, made_songs
from ml_worker.tests.test_finding import children_of, sent
from recordings.models import Fragment
from recordings.tests import factories

OF = 2
FRAMES = st.integers(0, 40)
NUMBERS = st.floats(-1e9, 1e9)
CONTENDERS = st.builds(
    Contender,
    key=st.text(max_size=40),
    fit=NUMBERS,
    figures=st.lists(NUMBERS, max_size=12).map(tuple),
    start_s=NUMBERS,
    end_s=NUMBERS,
    tempo_ratio=NUMBERS,
    transposition=st.none() | NUMBERS,
)


# --- what is sent


@st.composite
def melodies(draw: st.DrawFn) -> Melody:
    frames = draw(FRAMES)
    numbers = arrays.arrays(np.float32, frames, elements=st.floats(0, 2000, width=32))
    voiced = draw(arrays.arrays(np.bool_, frames))
    attack = draw(st.none() | numbers)
    return Melody(draw(st.floats(0.001, 0.1)), draw(numbers), voiced, draw(numbers), draw(st.text(max_size=9)), attack)


def over_the_wire(plain: dict) -> dict:
    return json.loads(json.dumps(plain))


@given(melody=melodies(), number=st.integers(0, 9), of=st.integers(1, 10), index=st.integers(1))
def test_a_question_arrives_as_it_was_sent(melody, number, of, index):
    question = Question(Shard(number, of), index, "state", melody)
    came = Question.from_plain(over_the_wire(question.as_plain()))
    assert came[:3] == question[:3]
    assert (came.melody.hop_s, came.melody.method) == (melody.hop_s, melody.method)
    for name in ("f0_hz", "voiced", "confidence", "attack"):
        arrived, left = getattr(came.melody, name), getattr(melody, name)
        assert (arrived is None) == (left is None)
        assert left is None or (arrived.dtype == left.dtype and np.array_equal(arrived, left))


@given(contenders=st.lists(CONTENDERS, max_size=5), songs=st.integers(0), took=st.dictionaries(st.text(), NUMBERS))
def test_a_reply_arrives_as_it_was_sent(contenders, songs, took):
    reply = Reply(contenders, took, songs)
    assert Reply.from_plain(over_the_wire(reply.as_plain())) == reply


def test_the_question_of_a_long_hum_is_a_short_message():
    rng = np.random.default_rng(0)
    frames = 940
    noise = rng.random((3, frames)).astype(np.float32)
    melody = Melody(0.016, 200 + 9 * noise[0], noise[1] > 0.2, noise[1], "made", noise[2])
    assert len(json.dumps(Question(Shard(0, 2), 1, "", melody).as_plain())) < 20_000


def test_the_state_of_an_index_is_told_by_its_songs_alone():
    one = Manifest(("short",), segments=("0001",))
    assert state_of(one) == state_of(Manifest(("short",), segments=("0001",), open_set={"line": 0.7}))
    others = [one.with_segment("0002"), Manifest(("short",), ("0001",), forgotten=("a",))]
    assert len({state_of(one), *map(state_of, others)}) == 3


# --- who asks waits no longer than it has to


class Message:
    """A message on its way: its reply is there, or it is not."""

    def __init__(self, reply: Reply | None) -> None:
        self.id, self.reply, self.waited_s = "a message", reply, -1.0

    def get(self, timeout: float, propagate: bool) -> dict:
        self.waited_s = timeout
        if self.reply is None:
            raise shards.NoReply
        return self.reply.as_plain()

    def successful(self) -> bool:
        return True

    def forget(self) -> None:
        pass


class Post:
    """Instead of a broker: shards that reply or not, and what was waited for each, seconds."""

    def __init__(self, monkeypatch) -> None:
        self.away: set[int] = set()
        self.came_late = False
        self.sent: list[Message] = []
        monkeypatch.setattr(shards.app, "send_task", self.send)
        monkeypatch.setattr(shards, "AsyncResult", lambda *_, **__: self)

    def send(self, task: str, arguments: list[dict], **options: object) -> Message:
        number = arguments[0]["shard"][0]
        assert options["queue"] == shard_queue(number)
        self.sent.append(Message(None if number in self.away else Reply([], {}, number)))
        return self.sent[-1]

    def ready(self) -> bool:
        return self.came_late

    def asked(self, some: Shards) -> tuple[list[bool], list[float]]:
        """Which shards replied, and what was waited for each."""
        self.sent.clear()
        melody = Melody(0.01, *(np.zeros(0, kind) for kind in (np.float32, bool, np.float32)), method="none")
        replies = some.ask(1, "state", melody)
        return [reply is not None for reply in replies], [message.waited_s for message in self.sent]


def test_a_shard_that_owes_a_reply_keeps_nobody_waiting_until_it_has_replied(monkeypatch):
    post, some = Post(monkeypatch), Shards(3, limit_s=60)
    assert post.asked(some)[0] == [True, True, True]
    post.away = {1}
    replied, waited_s = post.asked(some)
    assert replied == [True, False, True]
    assert min(waited_s) > 50
    replied, waited_s = post.asked(some)
    assert replied == [True, False, True]
    assert (waited_s[0] > 50, waited_s[1] <= MOMENT_S, waited_s[2] > 50) == (True, True, True)
    post.came_late = True  # the first reply, after all
    assert min(post.asked(some)[1]) > 50
    post.came_late, post.away = False, set()
    assert post.asked(some)[0] == [True, True, True], "it replies within the moment"
    assert min(post.asked(some)[1]) > 50


# --- merging, without messages


@pytest.fixture
def places(settings, tmp_path) -> None:
    """A storage and a folder of indexes of the test's own."""
    factories.use_storage(settings, tmp_path / "storage")
    settings.INDEX_FOLDER = tmp_path / "index"


def songs_in_segments() -> list[Fragment]:
    """Six songs, in an index of three segments: four, one and one."""
    songs = []
    for seeds in ([1, 2, 3, 4], [5], [6]):
        songs += made_songs(seeds)
        indexed()
    assert len(Manifest.load(SearchIndex.in_use().path).segments) == 3
    return songs


class HereShards(Shards):
    """Shards that this process searches itself; some are away."""

    def __init__(self) -> None:
        super().__init__(OF, 60)
        self.away: set[int] = set()
        self.finders = [ShardFinder(Shard(number, OF)) for number in range(OF)]

    def ask(self, index: int, state: str, melody: Melody) -> list[Reply | None]:
        questions = [Question(Shard(number, OF), index, state, melody) for number in range(OF)]
        return [
            None if number in self.away else self.finders[number].reply_to(question)
            for number, question in enumerate(questions)
        ]


def place_of(found: dict) -> tuple:
    return tuple(found[name] for name in ("recording", "start_s", "end_s", "tempo_ratio", "transposition"))


def same_answer(one: dict, other: dict) -> None:
    """The same songs and places. How sure they are hangs on chance, which each shard measures on its own songs."""
    assert [place_of(found) for found in one["found"][:1]] == [place_of(found) for found in other["found"][:1]]
    assert {place_of(found) for found in one["found"]} == {place_of(found) for found in other["found"]}
    assert one["here"] == pytest.approx(other["here"], abs=0.02)
    assert one["is_here"] == other["is_here"]
    assert one["index"] == other["index"]
    assert one["warnings"] == other["warnings"]


@pytest.mark.django_db
def test_shards_together_find_what_one_process_does_and_without_one_it_is_said(places):
    songs = songs_in_segments()
    alone = Finder()
    here = HereShards()
    finder = FinderInShards(here)
    for song in (songs[0], songs[4]):
        melody = hear(hum_of(song), {}).melody
        same_answer(finder.find(melody).as_plain(), alone.find(melody).as_plain())
    with pytest.raises(NothingHeard):
        finder.find(Melody(0.01, *(np.zeros(500, kind) for kind in (np.float32, bool, np.float32)), method="none"))

    # The second shard has the fifth song alone.
    here.away = {1}
    searches = [sent(hum_of(songs[0])), sent(hum_of(songs[4]))]
    assert answer_all(finder, "this process") == 2
    for search in searches:
        search.refresh_from_db()
        assert search.answer["warnings"] == [finding.SOME_MISSING]
        assert search.answer["index"]["songs"] == 5
        assert {"network", "asking"} <= set(search.took)
    there, missed = (search_answers.describe(search, None) for search in searches)
    assert (there["is_here"], there["found"][0]["recording"]) == (True, songs[0].recording_id)
    assert missed["is_here"] is None, "it may be among the others"
    assert len(missed["found"]) == 5
    assert (missed["index"]["complete"], "could not be searched" in missed["warnings"][0]) == (False, True)

    # None is there: it waits and is told why, and is no more tried for that.
    here.away = {0, 1}
    search = sent(hum_of(songs[4]))
    assert answer_all(finder, "this process") == 0
    search.refresh_from_db()
    assert (search.state, search.sentence, search.attempts) == (Search.State.WAITING, NONE_THERE, 0)
    here.away = set()
    assert answer_all(finder, "this process") == 1
    search.refresh_from_db()
    assert (search.state, search.sentence, search.attempts) == (Search.State.DONE, "", 1)
    same_answer(search.answer, alone.find(hear(hum_of(songs[4]), {}).melody).as_plain())


@pytest.mark.django_db
def test_where_no_shard_comes_a_search_is_refused_with_the_reason(places):
    songs = made_songs([1])
    indexed()
    here = HereShards()
    here.away = {0, 1}
    search = sent(hum_of(songs[0]))
    Search.objects.update(created_at=timezone.now() - PATIENCE + timedelta(seconds=20))
    assert answer_all(FinderInShards(here), "this process") == 0
    Search.objects.update(created_at=timezone.now() - PATIENCE - timedelta(seconds=1))
    assert answer_all(FinderInShards(here), "this process") == 0
    search.refresh_from_db()
    assert (search.state, search.code, search.sentence) == (Search.State.REFUSED, "too_late", NONE_THERE)


@pytest.mark.django_db
def test_a_shard_follows_the_index_and_gives_up_none(places, caplog):
    songs = made_songs([1, 2, 3])
    indexed()
    row = SearchIndex.in_use()
    shard = ShardFinder(Shard(0, 1))
    shard.keep_open()
    melody = hear(hum_of(songs[0]), {}).melody

    def asked() -> Reply | None:
        question = Question(Shard(0, 1), row.pk, state_of(Manifest.load(row.path)), melody)
        return shard.reply_to(question)

    assert asked().songs == 3
    before = state_of(Manifest.load(row.path))
    made_songs([4])
    indexed()
    assert asked().songs == 4, "the index grew"
    assert shard.reply_to(Question(Shard(0, 1), row.pk, before, melody)) is None
    assert shard.reply_to(Question(Shard(0, 1), row.pk + 1000, before, melody)) is None
    state = state_of(Manifest.load(row.path))
    row.path.rename(row.path.with_name("elsewhere"))
    assert ShardFinder(Shard(0, 1)).reply_to(Question(Shard(0, 1), row.pk, state, melody)) is None
    assert "cannot be searched here: There is no index" in caplog.text
    assert SearchIndex.in_use() == row, "others may have it"


# --- how many


@pytest.mark.parametrize("said", ["0", "-1", "two", "1.5"])
def test_a_number_of_shards_that_is_none_is_told(monkeypatch, said):
    monkeypatch.setenv("CHAD_SEARCH_SHARDS", said)
    with pytest.raises(Unfit, match="CHAD_SEARCH_SHARDS"):
        search_shards()


def test_without_a_word_there_is_one_shard_and_nothing_more_is_scheduled(monkeypatch):
    monkeypatch.delenv("CHAD_SEARCH_SHARDS", raising=False)
    assert search_shards() == site.SEARCH_SHARDS == 1
    assert not [name for name in site.CELERY_BEAT_SCHEDULE if "shard" in name]


# --- real workers


@pytest.fixture
def at_home(settings) -> None:
    """Storage and index where a process of its own looks for them."""
    home = Path(os.environ["CHAD_HOME"])
    settings.STORAGES = factories.storages_in(home / "storage")
    settings.INDEX_FOLDER = home / "index"


class Workers:
    """The worker of searches and those of two shards, as the supervisor starts them."""

    def __init__(self, stack: ExitStack, lifeline: children.Lifeline, folder: Path) -> None:
        self.stack, self.lifeline, self.folder = stack, lifeline, folder
        self.environment = os.environ | {
            "CHAD_DATABASE_NAME": str(connection.settings_dict["NAME"]),
            "CHAD_SEARCH_SHARDS": str(OF),
            # As long as a busy machine takes for all of it; a shard that is away is not waited for so long twice.
            "CHAD_SHARD_LIMIT_S": "20",
        }
        self.searching = self.start(children.search_part(1))
        self.shards = [self.start(children.shard_part(number)) for number in range(OF)]

    def start(self, part: children.Part) -> Worker:
        # They say little: the line by which the test knows that one is ready is one of those.
        command = ["INFO" if word == "WARNING" else word for word in part.command]
        log = self.folder / f"{part.name}-{len(list(self.folder.glob('*.log')))}.log"
        return self.stack.enter_context(started_worker(part, command, self.lifeline, self.environment, log))

    def kill_shard(self, number: int) -> None:
        """All its processes, as where a machine is lost."""
        for pid in reversed(children_of(self.shards[number].process.pid)):
            os.kill(pid, signal.SIGKILL)
        self.shards[number].process.wait()

    def start_shard(self, number: int) -> None:
        self.shards[number] = self.start(children.shard_part(number))


@pytest.fixture
def workers(
    transactional_db: None, redis_server: str, lifeline: children.Lifeline, tmp_path: Path
) -> Iterator[Workers]:
    app.control.purge()
    with ExitStack() as stack:
        yield Workers(stack, lifeline, tmp_path)
        for log in sorted(tmp_path.glob("*.log")):  # pytest shows it where the test fails
            print(log.name, log.read_text(), sep="\n")


def found_by_workers(song: Fragment) -> Search:
    return answered_by_workers(sent(hum_of(song)))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_real_workers_answer_together_and_say_so_while_one_is_lost(at_home, workers):
    songs = songs_in_segments()
    alone = Finder()
    for number in range(OF):  # as the schedule does
        send("ml_worker.open_shard", [number, OF], shard_queue(number))
    wait_until(lambda: found_by_workers(songs[0]).answer["index"]["complete"], "Both shards are open")
    for song in (songs[0], songs[4]):
        search = found_by_workers(song)
        same_answer(search.answer, alone.find(hear(hum_of(song), {}).melody).as_plain())
        assert {"waiting", "network", "asking"} <= set(search.took)

    workers.kill_shard(1)
    search = found_by_workers(songs[0])
    assert search.answer["warnings"] == [finding.SOME_MISSING]
    assert search.answer["found"][0]["recording"] == str(songs[0].recording_id)
    assert (search.attempts, search.answer["index"]["songs"]) == (1, 5)
    assert found_by_workers(songs[4]).answer["is_here"] is None

    workers.start_shard(1)
    wait_until(lambda: found_by_workers(songs[4]).answer["index"]["complete"], "The shard is back")
    search = found_by_workers(songs[4])
    same_answer(search.answer, alone.find(hear(hum_of(songs[4]), {}).melody).as_plain())
    assert search.answer["found"][0]["recording"] == str(songs[4].recording_id)
