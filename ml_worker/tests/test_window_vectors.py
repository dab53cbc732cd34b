"""Windows as vectors in the database: found again, written whole or not at all, and gone with their index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from ml_worker.models import SearchIndex, WindowPart
from ml_worker.models.window_parts import drop_strays, tables
from ml_worker.window_vectors import (
    MOST_LISTS,
    WindowVectors,
    lists,
    problem_with_database,
    problem_with_version,
    write,
)

pytestmark = pytest.mark.django_db

AXES = 16


def an_index() -> SearchIndex:
    return SearchIndex.objects.create(checkpoints=["short-1"], engine=SearchIndex.Engine.PGVECTOR)


def directions(count: int, seed: int = 0) -> np.ndarray:
    """Vectors of length 1, (N, AXES)."""
    drawn = np.random.default_rng(seed).normal(size=(count, AXES))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def blocks_of(vectors: np.ndarray, numbers: np.ndarray, size: int = 100) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for first in range(0, len(numbers), size):
        yield vectors[first : first + size], numbers[first : first + size]


def table_of(index: SearchIndex, segment: str, count: int, seed: int = 0) -> WindowPart:
    return write(index, segment, "short-1", AXES, blocks_of(directions(count, seed), np.arange(count)))


def written(count: int, seed: int = 0) -> tuple[WindowPart, np.ndarray, np.ndarray]:
    """A table of every third window."""
    vectors, numbers = directions(count, seed), 3 * np.arange(count)
    return write(an_index(), "0001", "short-1", AXES, blocks_of(vectors, numbers)), vectors, numbers


@pytest.mark.parametrize(("windows", "queries", "count"), [(1, 1, 1), (5, 3, 8), (700, 11, 40), (2000, 1, 2000)])
def test_where_all_lists_are_looked_into_the_nearest_are_those_of_a_comparison_with_all(windows, queries, count):
    part, vectors, numbers = written(windows)
    asked = directions(queries, seed=1)
    similarities, found = WindowVectors(part.table, lists(windows), most=count).search(asked, count)
    assert (similarities.dtype, found.dtype) == (np.float32, np.int64)
    assert similarities.shape == found.shape == (queries, count)
    wanted = asked @ vectors.astype(np.float16).astype(np.float32).T
    there = min(windows, count)
    best = -np.sort(-wanted, axis=1)[:, :there]
    np.testing.assert_allclose(similarities[:, :there], best, atol=2e-3)
    of_found = wanted[np.arange(queries)[:, None], np.searchsorted(numbers, found[:, :there])]
    np.testing.assert_allclose(of_found, best, atol=2e-3)
    assert (found[:, there:] == -1).all()
    assert np.isneginf(similarities[:, there:]).all()


def test_with_few_lists_most_of_the_nearest_are_found_and_never_one_that_is_not_there():
    part, vectors, numbers = written(5000)
    asked = vectors[::500] + 0.05 * directions(10, seed=2)
    similarities, found = WindowVectors(part.table).search(asked, 10)
    assert (found[:, 0] == numbers[::500]).all(), "what it was made of is the nearest"
    assert np.isin(found[found >= 0], numbers).all()
    assert (np.diff(similarities, axis=1) <= 0).all()


def test_more_than_the_most_are_not_found_however_many_are_asked_for():
    part, vectors, _ = written(100)
    similarities, found = WindowVectors(part.table, lists(100), most=5).search(vectors[:3], 8)
    assert (found >= 0).sum(axis=1).tolist() == [5, 5, 5]
    assert similarities.shape == found.shape == (3, 8)


def test_what_is_asked_for_once_more_is_the_same():
    part, vectors, _ = written(300)
    asked = WindowVectors(part.table)
    first, again = asked.search(vectors[:7], 20), asked.search(vectors[:7], 20)
    np.testing.assert_array_equal(first[1], again[1])


def test_a_vector_that_is_asked_for_beside_others_finds_what_it_finds_alone():
    part, vectors, _ = written(300)
    asked = WindowVectors(part.table)
    together = asked.search(vectors[:5], 20)[1]
    for number in range(5):
        np.testing.assert_array_equal(asked.search(vectors[number : number + 1], 20)[1][0], together[number])


def test_the_row_tells_of_the_table():
    part, _, numbers = written(400)
    part.refresh_from_db()
    assert part.windows == len(numbers)
    assert part.bytes > 400 * AXES * 2
    assert part.is_there
    assert tables() == [part.table]


def test_a_segment_that_is_written_again_has_one_table():
    part, _, _ = written(50)
    again = table_of(part.index, "0001", 60)
    beside = table_of(part.index, "0002", 10)
    assert set(tables()) == {again.table, beside.table}
    assert [one.windows for one in WindowPart.objects.order_by("segment")] == [60, 10]


def test_writing_that_breaks_off_leaves_nothing():
    index = an_index()

    class Killed(BaseException):
        """As SIGKILL: nothing runs after it."""

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield directions(100), np.arange(100)
        raise Killed

    with pytest.raises(Killed):
        write(index, "0001", "short-1", AXES, blocks())
    assert (tables(), WindowPart.objects.count()) == ([], 0)


def test_a_segment_in_which_nothing_is_heard_has_an_empty_table():
    part = write(an_index(), "0001", "short-1", AXES, [])
    similarities, numbers = WindowVectors(part.table).search(directions(2), 3)
    assert (numbers == -1).all()
    assert np.isneginf(similarities).all()


def test_tables_go_with_their_rows():
    part, _, _ = written(50)
    kept = table_of(part.index, "0002", 10)
    assert WindowPart.objects.filter(pk=part.pk).remove() == 1
    assert tables() == [kept.table]
    SearchIndex.objects.all().delete()
    drop_strays()
    assert tables() == []


@pytest.mark.parametrize("windows", [0, 1, 10, 100_000, 500_000, 50_000_000])
def test_there_are_some_lists_and_never_too_many(windows):
    assert 1 <= lists(windows) <= MOST_LISTS


@pytest.mark.parametrize("said", ["faiss", "pgvector"])
def test_the_engines_that_there_are_pass_the_check(settings, said):
    settings.INDEX_ENGINE = said
    call_command("check")


def test_another_engine_is_told_before_anything_starts(settings):
    settings.INDEX_ENGINE = "Faiss"
    with pytest.raises(SystemCheckError, match="CHAD_INDEX is “Faiss”; set it to faiss or pgvector, or leave it out"):
        call_command("check")


@pytest.mark.parametrize("version", ["0.7.0", "0.8.5", "0.10", "1.0.0"])
def test_a_database_that_is_new_enough_will_do(version):
    assert problem_with_version(version) == ""
    assert problem_with_database() == "", "as is the one that comes with CHAD"


@pytest.mark.parametrize("version", ["0.5.1", "0.6"])
def test_a_database_that_is_too_old_is_told_with_what_to_do(version):
    told = problem_with_version(version)
    assert f"this database has {version}" in told
    assert "ALTER EXTENSION vector UPDATE" in told
