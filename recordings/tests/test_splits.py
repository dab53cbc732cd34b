"""A song is in one split for ever; the database and Python agree on which."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.models import Song
from recordings.splits import split_of


@pytest.mark.django_db
def test_database_and_python_agree():
    Song.objects.bulk_create(Song(title=str(n), artist="A") for n in range(500))
    splits = dict(Song.objects.values_list("pk", "split"))
    assert {song_id: split_of(song_id) for song_id in splits} == splits
    assert set(splits.values()) == {"train", "validation", "test"}


def test_the_rule_never_changes():
    """Written down from the first version; a change would move songs of published releases."""
    first = [split_of(uuid.UUID(int=n)) for n in range(20)]
    assert [n for n in range(20) if first[n] == "validation"] == [12, 13, 17]
    assert [n for n in range(20) if first[n] == "test"] == [18]


def test_shares_are_70_15_15():
    shares = Counter(split_of(uuid.UUID(int=n)) for n in range(20_000))
    assert shares["train"] / 20_000 == pytest.approx(0.70, abs=0.02)
    assert shares["validation"] / 20_000 == pytest.approx(0.15, abs=0.02)
    assert shares["test"] / 20_000 == pytest.approx(0.15, abs=0.02)


@given(st.uuids())
def test_the_way_an_id_is_written_does_not_matter(song_id):
    assert split_of(song_id) == split_of(str(song_id)) == split_of(str(song_id).upper()) == split_of(song_id.hex)


def test_what_is_no_id_is_refused():
    with pytest.raises(ValueError, match="badly formed"):
        split_of("a song")
