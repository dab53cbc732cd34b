"""What the benchmark of searching counts, on made figures; nothing is started here."""

from __future__ import annotations

import io
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile

from chad_site.commands import BadInput
from ml_worker.bench import BENCHMARKS
from ml_worker.catalogue import tunes
from ml_worker.retrieval.index.measure import Measured
from ml_worker.retrieval.index.open_set import OpenSet, Told
from ml_worker.search_bench import (
    HUM_S,
    Answered,
    SungHum,
    arguments_of,
    ask,
    asked_sizes,
    rows_alone,
    rows_of_crowd,
    rows_of_index,
    rows_of_open_set,
    spread,
    sung_hum,
)

STAGES = {"network": (0.1, 0.2), "both stages": (0.2, 0.4), "in all": (0.3, 0.6)}


def measured(exact_s: float | None, recall: float | None) -> Measured:
    return Measured(1000, 2_000_000, 12.0, 3 * 10**9, 10**9, STAGES, 0.9, 0.7, recall, exact_s)


def answered(seconds: float, title: str, *, refused: int = 0, state: str = "done") -> Answered:
    took = {"waiting": 0.01, "melody": 0.25 * seconds}
    return Answered(seconds, refused, {"state": state, "took_s": took, "found": [{"song": {"title": title}}]})


def by_name(rows: list[dict]) -> dict[str, dict]:
    assert len({tuple(row) for row in rows}) == 1  # the same columns everywhere
    return {row["what"]: row for row in rows}


def test_it_is_one_of_the_benchmarks():
    assert BENCHMARKS["search"].module == "ml_worker.search_bench"


def test_sizes_are_numbers_of_songs():
    assert asked_sizes("1000 90000") == [1000, 90000]
    for wrong in ("", "many", "1000 0", "-5"):
        with pytest.raises(BadInput):
            asked_sizes(wrong)


def test_a_large_index_has_a_tenth_of_its_songs_unlike():
    assert "--unlike=9000" in arguments_of(90_000, Path("there"))
    assert {"--songs=500", "--unlike=1000", "--folder=there"} < set(arguments_of(500, Path("there")))


def test_the_exhaustive_search_is_the_baseline_of_both_stages():
    rows = by_name(rows_of_index(measured(exact_s=3.0, recall=0.99)))
    assert rows["both stages"]["here"] == 0.2
    assert rows["both stages"]["p95"] == 0.4
    assert rows["both stages"]["baseline"] == 3.0
    assert rows["both stages"]["ratio"] == pytest.approx(15)
    assert rows["network"]["baseline"] is None
    assert rows["recall@10 of the exhaustive search"]["here"] == 0.99
    assert rows["fingerprints"]["here"] == 2.0


def test_without_an_exhaustive_search_there_is_no_ratio():
    both = by_name(rows_of_index(measured(exact_s=None, recall=None)))["both stages"]
    assert both["baseline"] is None
    assert both["ratio"] is None


def test_times_have_a_median_and_a_95th_percentile():
    times = spread("what", "where", [float(second) for second in range(101)])
    assert (times["here"], times["p95"]) == (50, 95)


def test_of_a_hum_alone_the_steps_and_what_the_calls_take_are_told():
    first, second, *_ = tunes()
    hums = [SungHum(first, b""), SungHum(second, b"")]
    rows = by_name(rows_alone(hums, [answered(1.0, first.title), answered(1.0, "another")]))
    assert rows["end of upload to answer"]["here"] == 1.0
    assert rows["  of it melody"]["here"] == 0.25
    assert rows["  of it calls"]["here"] == pytest.approx(1 - 0.25 - 0.01)
    assert rows["song found first"]["here"] == 0.5


def test_of_a_crowd_refusals_and_answers_are_counted():
    answers = [answered(2.0, "a", refused=2), answered(4.0, "b", refused=1, state="refused")]
    rows = by_name(rows_of_crowd(answers, took_cpu_s=0.6))
    assert rows["told to come again (429)"]["here"] == 3
    assert rows["answered"]["here"] == 0.5
    assert rows["processor time of a search, all processes"]["here"] == pytest.approx(0.3)


def test_what_crosses_the_line_is_counted_over_all_hums():
    foreign, own = (
        Told(np.array(here), np.full(len(here), 4.0), [""] * len(here))
        for here in ([0.1, 0.6, 0.7, 0.85], [0.9, 0.6, 0.95, 0.1])
    )
    # Of so short hums the line lies higher: 0.8 in place of 0.5.
    line = OpenSet(0.5, slope=-2.0, hums=300, songs=30, false_accepts=(0.2, 0.4))
    assert line.line_at(4.0) == pytest.approx(0.8)
    rows = by_name(rows_of_open_set(foreign, own, np.array([True, True, False, True]), line))
    assert rows["foreign hums told to be there"]["here"] == 0.25
    assert rows["foreign hums told to be there"]["baseline"] == 0.75  # at one half, whatever their length
    assert rows["  at least, as the line tells"]["here"] == 0.2
    assert rows["right song first, told to be there"]["here"] == 0.25
    assert rows["right song first, told to be there"]["baseline"] == 0.5
    assert rows["right song first, at 1 % in hindsight"]["here"] == 0.25  # only 0.9 is above all four
    assert rows["right song first, whatever is told"]["here"] == 0.75


def test_hums_are_of_one_length_and_always_the_same():
    hum = sung_hum(3)
    samples, rate = soundfile.read(io.BytesIO(hum.wav))
    assert len(samples) == round(HUM_S * rate)
    assert np.abs(samples).max() > 0.01
    assert sung_hum(3).wav == hum.wav
    assert hum.tune.slug == tunes()[3].slug


class Busy(BaseHTTPRequestHandler):
    """Refuses the first hum, takes the second, and has its answer at the second question."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append("POST")
        if self.server.calls.count("POST") == 1:
            self.tell(429, {"error": "Busy."}, {"Retry-After": "0"})
        else:
            self.tell(201, {"id": "7", "key": "secret", "state": "waiting"})

    def do_GET(self) -> None:
        self.server.calls.append(self.path.partition("?")[0] + " " + self.headers["X-Search-Key"])
        state = "searching" if self.server.calls[-2] == "POST" else "done"
        self.tell(200, {"id": "7", "state": state})

    def tell(self, status: int, body: dict, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, said in (headers or {}).items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_who_is_told_to_come_again_comes_again_and_waits_for_the_answer():
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        server.calls = []
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            answer = ask(server.server_port, SungHum(tunes()[0], b"RIFF"))
        finally:
            server.shutdown()
            thread.join()
    assert answer.refused == 1
    assert answer.search["state"] == "done"
    assert answer.seconds > 0
    assert server.calls == ["POST", "POST", *2 * ["/api/v1/searches/7 secret"]]
