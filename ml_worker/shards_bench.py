"""What a search takes in one process, and in shards: `python -m ml_worker.shards_bench INDEX`.

    INDEX            the folder of an index of simulated songs, as `ml_worker.retrieval.index.measure` makes them
    --unlike N       its songs with melodies of their own (7500)
    --shards N       workers, each with a part of it (3)
    --hums N         simulated hums of 8 s (20)

Starts a database, a broker and the workers, all of its own, and asks for each hum first one process that searches
everything, then the workers. Prints the median and the 95th percentile of the seconds from a hum's melody to its songs,
of each step, and how many of the ten best songs are the same. All of it runs on this machine. What workers on machines
of their own would take is what the slowest shard takes by itself, which is printed, too, and the asking.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from chad_site.embedded.places import REPOSITORY

if TYPE_CHECKING:
    from chad_site.supervisor.children import Lifeline, Part
    from ml_worker.finding import Finder
    from ml_worker.retrieval.index import Answer, Searcher
    from ml_worker.retrieval.index.simulated import Hum

# Hums that are sought before the clock counts: the files are mapped, and read where they are first touched.
WARM_UP = 3
TOP = 10
# Broker and workers answer within this, and a reply is waited for so long; seconds.
READY_LIMIT_S, REPLY_LIMIT_S = 120.0, 60.0
# Would lead to a server that is not its own.
LEADS_ELSEWHERE = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--unlike", type=int, default=7500)
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--hums", type=int, default=20)
    parser.add_argument("--here", action="store_true", help="in this process, whose CHAD_HOME is for nothing else")
    asked = parser.parse_args()
    if asked.here:
        import django

        django.setup()
        measure(asked.index, asked.unlike, asked.shards, asked.hums)
        return
    with TemporaryDirectory(prefix="chad-bench-") as home:
        environment = {name: said for name, said in os.environ.items() if name not in LEADS_ELSEWHERE}
        environment |= {"CHAD_HOME": str(Path(home).resolve()), "DJANGO_SETTINGS_MODULE": "chad_site.settings"}
        environment |= {"CHAD_SEARCH_SHARDS": str(asked.shards), "OMP_NUM_THREADS": "1"}
        again = [sys.executable, "-m", "ml_worker.shards_bench", str(asked.index.resolve()), "--here"]
        again += [f"--{name}={getattr(asked, name)}" for name in ("unlike", "shards", "hums")]
        for command in ([sys.executable, "manage.py", "migrate", "--verbosity", "0"], again):
            subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)


def measure(index: Path, unlike: int, shards: int, hums: int) -> None:
    """Measures, and prints a line for each way. Django is set up before what needs it is imported."""
    from ml_worker.finding import Finder
    from ml_worker.models import SearchIndex
    from ml_worker.retrieval.index.layout import Manifest
    from ml_worker.retrieval.index.measure import heard_hums
    from ml_worker.retrieval.index.searcher import Shard
    from ml_worker.shards import FinderInShards, ShardFinder, Shards
    from ml_worker.work.starter import install_starter_checkpoints

    install_starter_checkpoints()
    manifest = Manifest.load(index)
    row = SearchIndex.objects.create(checkpoints=list(manifest.checkpoints), state=SearchIndex.State.READY)
    row.path.parent.mkdir(parents=True)
    row.path.symlink_to(index)
    alone = Finder()
    searcher = alone.index().searcher
    print(f"{len(searcher.keys)} songs in {len(manifest.segments)} segments, {shards} shards", flush=True)
    sought = heard_hums(hums, unlike, searcher.encoders)
    with workers(shards):
        parts = FinderInShards(Shards(shards, REPLY_LIMIT_S))
        by_one, by_parts = [], []
        for finder, answers, name in ((alone, by_one, "one process"), (parts, by_parts, f"{shards} shards")):
            answers += answered(finder, sought)
            print(name, *(f"{step}: {told}" for step, told in spread(answers).items()), sep="\n  ", flush=True)
    parts_alone = [ShardFinder(Shard(number, shards)).index().searcher for number in range(shards)]
    slowest_s = [max(seconds_of(part, one) for part in parts_alone) for one in sought[:WARM_UP] + sought][WARM_UP:]
    print(f"the slowest shard by itself: {in_words(slowest_s)}")
    same = [len(keys(one) & keys(other)) / TOP for one, other in zip(by_one, by_parts, strict=True)]
    print(f"the same among the first {TOP}: {np.mean(same):.3f}")


def answered(finder: Finder, hums: Sequence[Hum]) -> list[Answer]:
    """The answers to hums, whose seconds hold the whole as "in all"."""
    for one in hums[:WARM_UP]:
        finder.find(one.melody)
    answers = []
    for one in hums:
        began = time.perf_counter()
        sought = finder.find(one.melody)
        if not sought.is_whole:
            raise RuntimeError("A shard did not answer.")
        sought.answer.seconds["in all"] = time.perf_counter() - began
        answers.append(sought.answer)
    return answers


def spread(answers: Sequence[Answer]) -> Mapping[str, str]:
    """Of each step the median and the 95th percentile, in words."""
    told = {}
    for step in answers[0].seconds:
        told[step] = in_words([answer.seconds[step] for answer in answers])
    return told


def in_words(seconds: Sequence[float]) -> str:
    median, high = np.quantile(seconds, (0.5, 0.95))
    return f"{median:.2f} s, 95th percentile {high:.2f} s"


def seconds_of(part: Searcher, hum: Hum) -> float:
    """What a shard takes for a hum while no other works."""
    return sum(part.contenders(hum.melody)[1].values())


def keys(answer: Answer) -> set[str]:
    return {found.key for found in answer.found[:TOP]}


@contextmanager
def workers(shards: int) -> Iterator[None]:
    """A broker, and the workers of all shards with the index open."""
    from chad_site.embedded import chad_home, redis
    from chad_site.embedded.places import Places
    from chad_site.supervisor.children import Lifeline, redis_part, shard_part

    places = Places(chad_home())
    places.prepare()
    lifeline = Lifeline.new(os.open(os.devnull, os.O_RDONLY))
    with ExitStack() as stack:
        stack.callback(lifeline.close)
        stack.enter_context(running(redis_part(places), lifeline, places.logs))
        until = time.monotonic() + READY_LIMIT_S
        while not redis.answers(places):
            if time.monotonic() > until:
                raise RuntimeError("The broker does not answer.")
            time.sleep(0.1)
        for number in range(shards):
            stack.enter_context(running(shard_part(number), lifeline, places.logs))
        wait_until_open(shards)
        yield


@contextmanager
def running(part: Part, lifeline: Lifeline, logs: Path) -> Iterator[None]:
    """A process of the supervisor's, ended afterwards."""
    with (logs / f"{part.name}.log").open("ab") as log:
        process = lifeline.guarded(part.command, part.plan, dict(os.environ), log.fileno())
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def wait_until_open(shards: int) -> None:
    """Has every shard opened, and waits for it."""
    from chad_site.celery import app, shard_queue

    opened = [
        app.send_task("ml_worker.open_shard", [number, shards], queue=shard_queue(number), ignore_result=False)
        for number in range(shards)
    ]
    for one in opened:
        one.get(timeout=READY_LIMIT_S)


if __name__ == "__main__":
    main()
