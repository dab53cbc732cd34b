"""The benchmark `search`: from a hum to its song.

- The index, at 1,000 simulated songs, or at as many as CHAD_BENCH_SONGS says ("1000 10000 90000"), against the
  exhaustive search of the same fingerprints. What was built stays in CHAD_HOME/bench/search.
- The whole way, on an instance that is started for it as `make run` does, with the starter catalogue and simulated
  hums: alone, then twenty people at once.
- Whether a tune is there at all: simulated hums of composed tunes that are nowhere, and of the starter catalogue's.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import soundfile
from django.conf import settings
from numpy.typing import NDArray

from annotation.views.search_schema import LONGEST_WAIT_S
from chad_site.commands import BadInput
from chad_site.embedded.places import REPOSITORY
from chad_site.tests.processes import processes_of
from ml_worker.catalogue import singer, tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.catalogue.tune import Tune
from ml_worker.fingerprint.data import part_from_a_note
from ml_worker.fingerprint.shipped import notes_of, starter_checkpoint
from ml_worker.judging.measure.data import DATA
from ml_worker.retrieval.index import measure as index_measure
from ml_worker.retrieval.index.cost_plot import cost_plot
from ml_worker.retrieval.index.measure import Measured, measured_apart
from ml_worker.retrieval.index.measure_open_set import Indexes, hindsight_level
from ml_worker.retrieval.index.open_set import FALSE_ACCEPTS, MIDDLING_S, UNMEASURED, OpenSet, Told

Row = dict[str, Any]

SIZES = "1000"
# Where more than one size was measured, its times are drawn here, beside the indexes.
COSTS = "cost.svg"
# Seconds of a hum, and how many are searched for one after the other.
HUM_S, ALONE = 8.0, 30
# So many people search at once, so often.
PEOPLE, ROUNDS = 20, 3
# What is wanted: seconds from the end of the upload to the answer, alone and of 19 in 20 people among others; of the
# index, seconds of both stages, and what it finds of the exhaustive search's ten best.
WANTED_ALONE_S, WANTED_CROWD_S, WANTED_STAGES_S, WANTED_RECALL = 1.5, 3.0, 0.5, 0.97
# Foreign hums that the line was not drawn by.
OPEN_SET_HUMS = 1000
# Everything is drawn from this.
SEED = 987_000_000_000
# The starter catalogue is heard and indexed within this, and looked after so often; seconds.
READY_LIMIT_S, LOOK_EVERY_S = 1800.0, 3.0
# An answer is waited for so long at a time, and asked for again after this; seconds.
WAIT_S, AGAIN_S = LONGEST_WAIT_S, 0.25
# What an answer says it took, in order.
STEPS = ("waiting", "reading", "melody", "network", "first stage", "second stage", "weighing")
# A call, and the end of the instance, take no longer than this; seconds.
CALL_LIMIT_S, ENDS_WITHIN_S = 60.0, 60.0
SEARCHES, OPEN = "/api/v1/searches", ("waiting", "searching")
# Would lead the instance to a server that is not its own.
LEADS_ELSEWHERE = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY")
INDEXED = """select coalesce((select songs from ml_worker_searchindex where state = 'ready'), 0),
                    (select count(*) from ml_worker_job where state in ('waiting', 'running'))"""


def table() -> list[Row]:
    return [*index_rows(), *instance_rows(), *open_set_rows()]


def row(what: str, condition: str, unit: str, here: float | None, **more: float | None) -> Row:
    """A row of the table; what was not measured stays empty. `ratio` is how often the baseline's time is ours."""
    names = ("p95", "baseline", "ratio", "wanted")
    return {"what": what, "condition": condition, "unit": unit, "here": here} | {name: more.get(name) for name in names}


def spread(what: str, condition: str, seconds: Sequence[float], *, wanted: float | None = None) -> Row:
    """Times as a row: their median and their 95th percentile."""
    median, high = (float(np.quantile(seconds, share)) for share in (0.5, 0.95))
    return row(what, condition, "s", median, p95=high, wanted=wanted)


# --- the index


def index_rows() -> Iterator[Row]:
    folder = Path(settings.CHAD_HOME) / "bench" / "search"
    every = []
    for songs in sorted(asked_sizes(os.environ.get("CHAD_BENCH_SONGS") or SIZES)):
        every.append(measured_apart(arguments_of(songs, folder)))
        yield from rows_of_index(every[-1])
    if len(every) > 1:
        (folder / COSTS).write_text(picture_of(every), encoding="utf-8")


def picture_of(every: Sequence[Measured]) -> str:
    """The seconds of a search by the songs of the index, as SVG."""
    stages = ("first stage", "second stage", "both stages")
    series = {name: [(one.songs, one.stages[name][0]) for one in every] for name in stages}
    exhaustive = [(one.songs, one.exact_s) for one in every if one.exact_s]
    return cost_plot(
        series | ({"exhaustive search": exhaustive} if exhaustive else {}),
        title="A hum of 8 s among simulated songs, median",
        x="songs of four minutes",
        y="seconds",
    )


def asked_sizes(said: str) -> list[int]:
    """How many songs the indexes have. Raises BadInput."""
    words = said.split()
    if not words or not all(word.isdigit() and int(word) for word in words):
        raise BadInput(f'CHAD_BENCH_SONGS is {said!r}; it should be numbers of songs, such as "1000 10000".')
    return [int(word) for word in words]


def arguments_of(songs: int, folder: Path) -> list[str]:
    """What the measurement of one index is called with."""
    unlike = max(index_measure.LEAST_UNLIKE, songs // 10)
    numbers = {"songs": songs, "unlike": unlike, "hums": index_measure.HUMS, "exact": index_measure.EXACT}
    return [f"--{name}={value}" for name, value in {**numbers, "folder": folder}.items()]


def rows_of_index(one: Measured) -> list[Row]:
    """The exhaustive search compares the same fingerprints, so it is the baseline of both stages."""
    condition = f"index of {one.songs} songs (simulated)"
    stages = {name: row(name, condition, "s", *at[:1], p95=at[1]) for name, at in one.stages.items()}
    both = stages["both stages"]
    ratio = None if one.exact_s is None else one.exact_s / both["here"]
    both |= {"baseline": one.exact_s, "ratio": ratio, "wanted": WANTED_STAGES_S}
    return [
        *stages.values(),
        row("recall@10 of the exhaustive search", condition, "share", one.recall, baseline=1.0, wanted=WANTED_RECALL),
        row("song among the first ten", condition, "share", one.top10),
        row("song found first", condition, "share", one.top1),
        row("fingerprints", condition, "million", one.windows / 1e6),
        row("memory that is no file's", condition, "GB", one.memory / 1e9),
        row("disk", condition, "GB", one.disk / 1e9),
        row("building, without the network", condition, "s", one.build_s),
    ]


# --- the whole way


@dataclass(frozen=True)
class SungHum:
    """A simulated hum of a tune of the starter catalogue, as a WAV."""

    tune: Tune
    wav: bytes


class Answered(NamedTuple):
    """An answer that was waited for.

    Attributes:
        seconds: from the end of the upload on.
        refused: how often the caller was told to come again later (429).
        search: as the call gives it.
    """

    seconds: float
    refused: int
    search: dict[str, Any]


class Instance(NamedTuple):
    home: Path
    port: int


def instance_rows() -> Iterator[Row]:
    with instance() as running:
        hums = [sung_hum(number) for number in range(max(ALONE, PEOPLE))]
        ask(running.port, hums[-1])  # what is read at first use
        yield from rows_alone(hums[:ALONE], [ask(running.port, hum) for hum in hums[:ALONE]])
        before_s = cpu_s(running.home)
        answers = [answer for _ in range(ROUNDS) for answer in ask_at_once(running.port, hums[:PEOPLE])]
        yield from rows_of_crowd(answers, cpu_s(running.home) - before_s)


def rows_alone(hums: Sequence[SungHum], answers: Sequence[Answered]) -> list[Row]:
    condition = f"a hum of {HUM_S:.0f} s alone, starter catalogue (simulated)"
    whole = spread("end of upload to answer", condition, [one.seconds for one in answers], wanted=WANTED_ALONE_S)
    steps = [step for step in STEPS if any(step in one.search["took_s"] for one in answers)]
    rows = [
        spread(f"  of it {step}", condition, [one.search["took_s"].get(step, 0) for one in answers]) for step in steps
    ]
    calls = [one.seconds - sum(one.search["took_s"].values()) for one in answers]
    first = [one.search["found"][0]["song"]["title"] if one.search["found"] else None for one in answers]
    right = float(np.mean([title == hum.tune.title for title, hum in zip(first, hums, strict=True)]))
    return [whole, *rows, spread("  of it calls", condition, calls), row("song found first", condition, "share", right)]


def rows_of_crowd(answers: Sequence[Answered], took_cpu_s: float) -> list[Row]:
    """
    Args:
        answers: of all rounds.
        took_cpu_s: processor seconds of all the instance's processes meanwhile.
    """
    condition = f"{PEOPLE} people at once, starter catalogue (simulated)"
    done = sum(one.search["state"] == "done" for one in answers)
    return [
        spread("end of upload to answer", condition, [one.seconds for one in answers], wanted=WANTED_CROWD_S),
        row("told to come again (429)", condition, "times", float(sum(one.refused for one in answers))),
        row("answered", condition, "share", done / len(answers), wanted=1.0),
        row("processor time of a search, all processes", condition, "s", took_cpu_s / len(answers)),
    ]


def sung_hum(number: int) -> SungHum:
    """HUM_S of a tune from any note on, as a singer hums in a key and a tempo of their own."""
    catalogue = tunes()
    tune = catalogue[number % len(catalogue)]
    rng = np.random.default_rng([SEED, number])
    part = part_from_a_note(notes_of(as_written(tune).notes()), 2 * HUM_S, rng)
    starts_s, ends_s = part.starts_s - part.starts_s[0], part.ends_s - part.starts_s[0]
    notes = list(zip(starts_s.tolist(), ends_s.tolist(), part.pitch.tolist(), strict=True))
    sound = singer.sing(notes, seed=number).sound
    wav = io.BytesIO()
    soundfile.write(wav, sound.mono()[: round(HUM_S * sound.sample_rate)], sound.sample_rate, "PCM_16", format="WAV")
    return SungHum(tune, wav.getvalue())


def ask_at_once(port: int, hums: Sequence[SungHum]) -> list[Answered]:
    with ThreadPoolExecutor(len(hums)) as people:
        return list(people.map(lambda hum: ask(port, hum), hums))


class Caller:
    """Somebody who calls without cookies, and comes again where told to (429).

    Attributes:
        sent_at: when the first upload was over.
        refused: how often they were told to come again.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent_at: float | None = None
        self.refused = 0

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> dict[str, Any]:
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=CALL_LIMIT_S)
            connection.request(method, path, body, {name.replace("_", "-"): said for name, said in headers.items()})
            self.sent_at = self.sent_at or time.perf_counter()
            response = connection.getresponse()
            told = json.load(response)
            connection.close()
            if response.status != 429:
                break
            self.refused += 1
            time.sleep(float(response.headers["Retry-After"]))
        if response.status not in (200, 201):
            raise BadInput(f"The instance of the benchmark answered {response.status}: {told}")
        return told


def ask(port: int, hum: SungHum) -> Answered:
    """Sends a hum and waits for its answer."""
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="audio"; filename="hum.wav"\r\n\r\n'
    body = head.encode() + hum.wav + f"\r\n--{mark}--\r\n".encode()
    caller = Caller(port)
    search = caller.call("POST", SEARCHES, body, Content_Type=f"multipart/form-data; boundary={mark}")
    key = search["key"]
    while (search := caller.call("GET", f"{SEARCHES}/{search['id']}?wait={WAIT_S}", X_Search_Key=key))["state"] in OPEN:
        time.sleep(AGAIN_S)  # the server lets only some wait with it
    assert caller.sent_at is not None
    return Answered(time.perf_counter() - caller.sent_at, caller.refused, search)


@contextmanager
def instance() -> Iterator[Instance]:
    """An instance of its own, once all of the starter catalogue can be found and nothing else is to be done."""
    with TemporaryDirectory(prefix="chad-bench-") as folder:
        running = Instance(Path(folder).resolve(), free_port())
        environment = {name: said for name, said in os.environ.items() if name not in LEADS_ELSEWHERE}
        environment |= {"CHAD_HOME": str(running.home), "PORT": str(running.port)}
        with (running.home / "run.txt").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "chad_site.supervisor"], cwd=REPOSITORY, env=environment,
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until_ready(process, running.home, environment)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(ENDS_WITHIN_S)


def wait_until_ready(process: subprocess.Popen[bytes], home: Path, environment: dict[str, str]) -> None:
    """Waits for the songs, has the line drawn, and waits until no job is left. Raises BadInput where it takes long."""
    deadline = time.monotonic() + READY_LIMIT_S
    songs, has_line = len(tunes()), False
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise BadInput(f"The instance of the benchmark was not ready: {(home / 'run.txt').read_text()}")
        found, jobs = indexed(environment)
        if found == songs and not jobs:
            if has_line:
                return
            manage = [sys.executable, "manage.py", "build_index"]
            subprocess.run(manage, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
            has_line = True
        time.sleep(LOOK_EVERY_S)


def indexed(environment: dict[str, str]) -> tuple[int, int]:
    """How many songs can be found, and how many jobs are left; zeros before there are tables."""
    psql = [sys.executable, "-m", "chad_site.embedded", "run", "psql", "-AtqX", "-F", " ", "-c", INDEXED]
    told = subprocess.run(psql, cwd=REPOSITORY, env=environment, capture_output=True, text=True).stdout.split()
    return (int(told[0]), int(told[1])) if len(told) == 2 else (0, 0)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def cpu_s(home: Path) -> float:
    """Processor seconds that the processes of an instance have taken until now."""
    return sum(ticks_of(pid) for pid in processes_of(home)) / os.sysconf("SC_CLK_TCK")


def ticks_of(pid: int) -> int:
    """What a process has taken, in and for its own code; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


# --- is it there at all


def open_set_rows() -> list[Row]:
    with TemporaryDirectory(prefix="chad-bench-") as home:
        indexes = Indexes(Path(home), DATA, [starter_checkpoint("short"), starter_checkpoint("long")])
        open_set = OpenSet.measured(indexes.for_line("starter"), len(tunes()))
        return rows_of_open_set(indexes.foreign("starter", OPEN_SET_HUMS), *indexes.own("starter"), open_set)


def rows_of_open_set(foreign: Told, own: Told, is_right: NDArray[np.bool_], line: OpenSet) -> list[Row]:
    """What crosses the line that was drawn, against the one that is taken where none was drawn.

    Args:
        foreign: what the index told of hums of tunes that are nowhere.
        own: of hums of its songs.
        is_right: (own,) whether the right one was found first.
        line: that was drawn.
    """
    condition = f"{len(foreign.here)} foreign hums, {len(own.here)} of the starter catalogue (simulated)"
    false, kept = (line.over(told.here, told.voice_s) for told in (foreign, own))
    undrawn, undrawn_kept = (told.here >= UNMEASURED for told in (foreign, own))
    # The line that one in a hundred of these very hums crosses: nobody has it beforehand.
    ideal = kept >= hindsight_level(false, FALSE_ACCEPTS)
    least, most = line.false_accepts
    return [
        row(
            "foreign hums told to be there",
            condition,
            "share",
            share(false >= 0),
            baseline=share(undrawn),
            wanted=FALSE_ACCEPTS,
        ),
        row("  at least, as the line tells", condition, "share", least),
        row("  at most, as the line tells", condition, "share", most),
        row(
            "right song first, told to be there",
            condition,
            "share",
            share((kept >= 0) & is_right),
            baseline=share(undrawn_kept & is_right),
        ),
        row("right song first, at 1 % in hindsight", condition, "share", share(ideal & is_right)),
        row("right song first, whatever is told", condition, "share", share(is_right)),
        row(f"the line, of {MIDDLING_S:.0f} s of voice", condition, "probability", line.line, baseline=UNMEASURED),
    ]


def share(flags: NDArray[np.bool_]) -> float:
    return float(np.mean(flags))
