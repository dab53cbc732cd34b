"""The windows of an index as vectors in PostgreSQL, where CHAD_INDEX is pgvector: the first stage asks the database for
the nearest ones, so that nothing but the database is needed to hold them.

Each segment and checkpoint has a table of its own (`WindowPart`), filled by COPY and never changed. Row, table and its
inverted file (pgvector's `ivfflat`) come in one transaction: who is killed leaves none of them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray
from pgvector import HalfVector

from ml_worker.models import SearchIndex, WindowPart
from ml_worker.retrieval.index import IndexUnusable
from ml_worker.retrieval.index.codec import Codec, Codes, Vectors
from ml_worker.retrieval.index.inverted import Engine, InvertedFiles, Numbers, voting_windows
from ml_worker.retrieval.index.settings import FirstStage

# Lists of the inverted file: so many times the square root of the windows, and at most so many: pgvector's k-means
# holds a number for each list and each of the windows that it samples, fifty a list, so 210 MB of 1,024 lists.
LISTS_A_ROOT, MOST_LISTS = 1.5, 1024
BUILD_MEMORY = "512MB"
# Lists that are looked into for each window of a hum, and how many neighbours are found at most. Fewer do than of
# faiss, whose codes are coarser; each costs the database a look at its row (`make bench ONLY=pgvector`).
PROBES, MOST = 16, 512
# The first pgvector that has vectors of half-precision numbers, which take half the room and find the same.
SINCE = (0, 7)

# The binary form of COPY: a head, rows, an end. Numbers are big-endian, each after its length in bytes.
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"
NEIGHBOUR = np.dtype(
    [
        ("fields", ">i2"),
        *(("of_query", ">i4"), ("query", ">i4")),
        *(("of_number", ">i4"), ("number", ">i4")),
        *(("of_similarity", ">i4"), ("similarity", ">f4")),
    ]
)
# The nearest windows of each query, all in one statement. `<#>` is the inner product with its sign turned.
NEAREST = """
COPY (
    SELECT query.number::integer, near.number, near.similarity
    FROM unnest(%s::halfvec[]) WITH ORDINALITY AS query (vector, number),
    LATERAL (
        SELECT number, (- (vector <#> query.vector))::real AS similarity
        FROM {table} ORDER BY vector <#> query.vector LIMIT %s
    ) AS near
) TO STDOUT (FORMAT binary)
"""


def engine_of(index: SearchIndex) -> Engine:
    """What an index is built, grown and searched with."""
    return PgVector(index) if index.engine == SearchIndex.Engine.PGVECTOR else InvertedFiles()


def problem_with_database() -> str:
    """Why the database can hold no windows, in a sentence; nothing where it can."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        return problem_with_version(cursor.fetchone()[0])


def problem_with_version(version: str) -> str:
    """The same of a version of pgvector."""
    if tuple(int(number) for number in version.split(".")[:2]) >= SINCE:
        return ""
    return (
        f"CHAD_INDEX=pgvector needs pgvector {SINCE[0]}.{SINCE[1]} or newer, and this database has {version}. Install "
        "a newer one and run `ALTER EXTENSION vector UPDATE` in the database, or leave CHAD_INDEX out."
    )


class PgVector:
    """Keeps the windows of an index's segments in the database; an `Engine`."""

    name = SearchIndex.Engine.PGVECTOR.value

    def __init__(self, index: SearchIndex, probes: int = PROBES) -> None:
        """
        Args:
            probes: lists that are looked into for each window of a hum.
        """
        self.index, self.probes = index, probes

    def write(
        self, index: Path, segment: Path, checkpoint: str, codes: Codes, codec: Codec, settings: FirstStage
    ) -> None:
        """As of `Engine`. A file of the segment tells which table is its; without one it has none."""
        name = segment.name.removesuffix(".part")
        blocks = voting_windows(codes, codec, settings)
        part = write(self.index, name, checkpoint, min(settings.axes, codec.axes), blocks)
        _told_in(segment, checkpoint).write_text(part.table, encoding="utf-8")

    def open(self, index: Path, segment: Path, checkpoint: str, settings: FirstStage) -> WindowVectors | None:
        """As of `Engine`.

        Raises:
            IndexUnusable: the segment has a table, which is not there.
        """
        told_in = _told_in(segment, checkpoint)
        if not told_in.exists():
            return None
        table = told_in.read_text(encoding="utf-8")
        part = self.index.window_parts.filter(segment=segment.name, checkpoint=checkpoint).first()
        if part is None or part.table != table or not part.is_there:
            raise IndexUnusable(f"the database does not have its table {table}")
        return WindowVectors(table, self.probes)


def _told_in(segment: Path, checkpoint: str) -> Path:
    return segment / f"{checkpoint}.table"


# --- searching


@dataclass(frozen=True)
class WindowVectors:
    """The windows of one table; `Neighbours`.

    Attributes:
        table: its name.
        probes: lists that are looked into for each vector.
        most: neighbours of each that are found, however many are asked for.
    """

    table: str
    probes: int = PROBES
    most: int = MOST

    def search(self, vectors: Vectors, count: int) -> tuple[Vectors, Numbers]:
        """As of `Neighbours`."""
        found = _received(self._nearest(vectors, min(count, self.most)))
        query, similarity = found["query"].astype(np.int64) - 1, found["similarity"]
        order = np.lexsort((-similarity, query))
        query = query[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        similarities = np.full((len(vectors), count), -np.inf, np.float32)
        numbers = np.full((len(vectors), count), -1, np.int64)
        similarities[query, rank] = similarity[order]
        numbers[query, rank] = found["number"][order]
        return similarities, numbers

    def _nearest(self, vectors: Vectors, count: int) -> bytes:
        asked = [HalfVector(vector).to_text() for vector in vectors]
        answer = io.BytesIO()
        with no_connection_left(), transaction.atomic(), connection.cursor() as cursor:
            # By the inverted file in any case, and without compiling a statement that is over sooner.
            cursor.execute(f"SET LOCAL ivfflat.probes = {self.probes:d}")
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL jit = off")
            statement = cursor.mogrify(NEAREST.format(table=connection.ops.quote_name(self.table)), (asked, count))
            cursor.copy_expert(statement.decode(), answer)
        return answer.getvalue()


@contextmanager
def no_connection_left() -> Iterator[None]:
    """Closes the connection that a thread opens meanwhile: the threads of a search end with it."""
    was_open = connection.connection is not None
    try:
        yield
    finally:
        if not was_open:
            connection.close()


def _received(copied: bytes) -> NDArray[np.void]:
    """The rows of NEAREST, as they came."""
    return np.frombuffer(copied[len(COPY_HEAD) : -len(COPY_END)], NEIGHBOUR)


# --- writing


@transaction.atomic
def write(
    index: SearchIndex, segment: str, checkpoint: str, axes: int, blocks: Iterable[tuple[Vectors, Numbers]]
) -> WindowPart:
    """Writes the windows of a segment, in place of those of one who was killed before the segment was there.

    Args:
        axes: A.
        blocks: vectors (N, A), compared by inner product, and the windows' numbers in the segment (N,).
    """
    index.window_parts.filter(segment=segment, checkpoint=checkpoint).remove()
    part = WindowPart.objects.create(index=index, segment=segment, checkpoint=checkpoint)
    table = connection.ops.quote_name(part.table)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} (number integer NOT NULL, vector halfvec({axes:d}) NOT NULL)")
        for vectors, numbers in blocks:
            cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT binary)", _sent(vectors, numbers))
            part.windows += len(numbers)
        cursor.execute(f"SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}'")
        cursor.execute(
            f"CREATE INDEX ON {table} USING ivfflat (vector halfvec_ip_ops) WITH (lists = {lists(part.windows):d})"
        )
        cursor.execute("SELECT pg_total_relation_size(%s)", [part.table])
        part.bytes = cursor.fetchone()[0]
    part.save(update_fields=["windows", "bytes"])
    return part


def lists(windows: int) -> int:
    """Of an inverted file over so many windows."""
    return max(1, min(MOST_LISTS, round(LISTS_A_ROOT * math.sqrt(windows))))


def _sent(vectors: Vectors, numbers: Numbers) -> io.BytesIO:
    """Windows as COPY reads them: a number, and a vector of half-precision numbers after their count."""
    axes = vectors.shape[1]
    rows = np.zeros(
        len(numbers),
        [
            ("fields", ">i2"),
            *(("of_number", ">i4"), ("number", ">i4")),
            *(("of_vector", ">i4"), ("axes", ">i2"), ("unused", ">i2"), ("vector", ">f2", (axes,))),
        ],
    )
    rows["fields"], rows["of_number"], rows["of_vector"], rows["axes"] = 2, 4, 4 + 2 * axes, axes
    rows["number"], rows["vector"] = numbers, vectors
    return io.BytesIO(COPY_HEAD + rows.tobytes() + COPY_END)
