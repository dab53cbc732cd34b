"""The pages of mined pairs: what one says of itself, its map as an image, and the odd ones that a person keeps."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml_worker import pairs_page
from ml_worker.models import MinedPair
from ml_worker.tests.made_pages import ORIGINAL_S, make_fragments, make_pair, make_picture
from ml_worker.tests.made_rows import sung_recording, sung_song
from ml_worker.tests.made_tunes import made_tune, melody_of
from ml_worker.work import mine
from recordings.models import CoverFragment, Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db


def page(admin: Client, address: str) -> str:
    answer = admin.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def opacity_in(png: bytes) -> NDArray[np.uint8]:
    """An indexed PNG read as the standard (ISO/IEC 15948) has it: the opacity of every dot."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(name + data),)
        chunks[name], at = data, at + 12 + length
    columns, rows, bits, kind, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (bits, kind, rest, list(chunks)[-1]) == (8, 3, [0, 0, 0], b"IEND")
    assert set(chunks[b"PLTE"]) == {255}, "white"
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(rows, columns + 1)
    assert not lines[:, 0].any(), "no line is filtered"
    return np.frombuffer(chunks[b"tRNS"], dtype=np.uint8)[lines[:, 1:]]


# --- one pair


def test_the_page_says_what_mining_saw(admin: Client):
    pair = make_pair()
    make_fragments(pair)
    told = page(admin, f"/manage/pairs/{pair.pk}/")
    for words in (
        "Cover 1 by Somebody", "This shares passages with the original.", "73 %", "× 1.10", "−2.0 semitones", "0.80 s",
        "short-made", "below r = 0.31", "2 passages go on in order in both", "0:02.0–0:20.0 at 0:03.0–0:23.0",
        "4 places: 1 matched by the machine, 1 to be double-checked, 1 accepted by people, 1 rejected by people.",
    ):  # fmt: skip
        assert words in told
    assert "Keep it" not in told, "nothing is odd about it"


def test_each_fragment_tells_all_its_numbers(admin: Client):
    pair = make_pair()
    make_fragments(pair)
    first = pairs_page.fragments_of(pair)[0]
    assert first.name == "Phrase 1"
    assert dict(first.facts) == {
        "In the original": "0:03.0–0:09.0", "In the cover": "0:04.3–0:10.9", "Correlation": "0.83",
        "Null level": "0.35", "Probability": "97 %", "Tempo": "× 1.10", "Transposition": "−2.0 semitones",
        "As good by chance, in two unrelated recordings": "1 in 5,000",
        "Curves apart, 0 the same, 1 not at all": "0.12", "Curves agree more than by chance": "3.8 s",
        "Notes sung": "11",
    }  # fmt: skip


def test_a_fragment_without_evidence_and_of_a_removed_phrase_is_told_too(admin: Client):
    pair = make_pair()
    found = make_fragments(pair)[0]
    nothing = {"probability": None, "null_level": None, "transposition": None, "evidence": {}}
    CoverFragment.objects.filter(pk=found.pk).update(**nothing)
    found.fragment.retire()
    first = pairs_page.fragments_of(pair)[0]
    assert (first.name, first.probability, first.null_level) == ("A phrase that was removed", "–", "–")
    assert (first.transposition, first.evidence) == ("unknown", [])
    assert "A phrase that was removed" in page(admin, f"/manage/pairs/{pair.pk}/")


@pytest.mark.parametrize(
    ("chance", "words"),
    [(12.34, "12.3"), (0.1, "0.1"), (0.02, "1 in 50"), (2.5e-6, "1 in 400,000"), (0.0, "under 1 in 1,000,000,000")],
)
def test_how_seldom_chance_does_as_well(chance: float, words: str):
    assert pairs_page.chance_in_words(chance) == words


def test_what_is_drawn_keeps_to_the_seconds_of_both(admin: Client):
    pair = make_pair()
    picture = pairs_page.picture_of(pair)
    drawn = pairs_page.as_drawn(pair, picture, pairs_page.fragments_of(pair))
    assert drawn["map_s"] == {"original": pytest.approx(40.0), "cover": pytest.approx(44.0)}
    assert drawn["courses"][0] == [[2.0, 3.0], [10.0, 12.0], [20.0, 23.0]]
    for name, longest_s in (("original", ORIGINAL_S), ("cover", pair.cover.duration_s)):
        side = drawn["sides"][name]
        assert len(side["pitch"]) <= pairs_page.CURVE_POINTS
        assert len(side["pitch"]) * side["hop_s"] == pytest.approx(longest_s, abs=2 * side["hop_s"])
        assert None in side["pitch"]
        assert {one for one in side["pitch"] if one is not None} <= {55 + k / 10 for k in range(101)}


@pytest.mark.parametrize("spared", [True, False])
def test_a_pair_without_a_map_or_a_picture_still_has_a_page(admin: Client, spared: bool):
    pair = make_pair("nothing", make_picture((0, 0)), was_spared=spared)
    told = page(admin, f"/manage/pairs/{pair.pk}/")
    assert ("The pre-filter found no place in common" in told) == spared
    assert "No chain of places went on long enough" in told
    assert "None of the phrases that are hummed was found" in told
    assert admin.get(f"/api/manage/pairs/{pair.pk}/map.png").status_code == 404
    MinedPair.objects.update(picture="")
    assert "No picture of this pair was kept" in page(admin, f"/manage/pairs/{pair.pk}/")


def test_the_map_is_an_image_as_opaque_as_its_cells(admin: Client):
    pair = make_pair()
    answer = admin.get(f"/api/manage/pairs/{pair.pk}/map.png")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert "private" in answer["Cache-Control"]
    np.testing.assert_array_equal(opacity_in(answer.content), make_picture().map)


@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_any_map_survives_as_an_image(rows: int, columns: int, chance):
    values = np.array([[chance.randrange(256) for _ in range(columns)] for _ in range(rows)], dtype=np.uint8)
    np.testing.assert_array_equal(opacity_in(pairs_page.as_png(values)), values)


@given(st.floats(0, 5000))
def test_a_clock_is_right_to_a_tenth_of_a_second(seconds: float):
    minutes, rest = pairs_page.clock(seconds).split(":")
    assert 0 <= float(rest) < 60
    assert 60 * int(minutes) + float(rest) == pytest.approx(seconds, abs=0.0501)


# --- odd pairs


def test_without_pairs_the_list_says_what_to_do(admin: Client):
    assert "No pair has been mined yet" in page(admin, "/manage/pairs/")
    make_pair()
    assert "Nothing is odd" in page(admin, "/manage/pairs/")


def test_odd_pairs_are_listed_with_their_reasons(admin: Client):
    other = factories.make_song("Loch Lomond")
    make_pair("same", title="Greensleeves")
    make_pair("nothing", title="Scarborough Fair", seems_to_be=other)
    make_pair(title="An even one")
    told = page(admin, "/manage/pairs/")
    assert "the same recording as the original" in told
    assert "nothing in common with the original, beyond chance. It seems to be Loch Lomond (Trad. Scottish)." in told
    assert "An even one" not in told
    for address in ("/manage/songs/", "/manage/covers/"):
        assert "2 odd pairs" in page(admin, address)


def test_a_kept_pair_leaves_the_list_and_undo_brings_it_back(admin: Client):
    pair = make_pair("same")
    answer = admin.post(f"/manage/pairs/{pair.pk}/keep/", follow=True)
    told = " ".join(answer.content.decode().split())
    assert "Kept as it is" in told
    assert "Kept by admin" in told
    assert not MinedPair.objects.to_look_at().exists()
    assert "odd pair" not in page(admin, "/manage/songs/")
    assert "the same recording as the original" not in page(admin, f"/manage/songs/{pair.original.song_id}/")
    admin.post(f"/manage/pairs/{pair.pk}/look-again/")
    assert MinedPair.objects.to_look_at().get() == pair
    assert MinedPair.objects.get().looked_by is None


def test_what_is_found_anew_is_looked_at_anew(admin: Client):
    """Mined again with the same finding, a kept pair stays kept; found to be something else, it is odd again."""
    fragment = sung_song(1)
    cover = sung_recording(fragment.song, Recording.Kind.COVER, melody_of(made_tune(2, 14), seed=2))
    miner = mine.Miner.of(None)
    mine.mine_cover(fragment.recording, cover, miner)
    pair = MinedPair.objects.get()
    assert pair.finding == "nothing"
    admin.post(f"/manage/pairs/{pair.pk}/keep/")
    mine.mine_cover(fragment.recording, cover, miner)
    assert MinedPair.objects.looked_at().get() == pair
    MinedPair.objects.update(finding="same")
    mine.mine_cover(fragment.recording, cover, miner)
    assert MinedPair.objects.to_look_at().get() == pair
    assert MinedPair.objects.get().looked_by is None


def test_only_odd_pairs_are_kept(admin: Client):
    pair = make_pair()
    assert admin.post(f"/manage/pairs/{pair.pk}/keep/").status_code == 404
    assert admin.get(f"/manage/pairs/{make_pair('same', title='Other').pk}/keep/").status_code == 405


def test_pairs_of_songs_that_were_taken_down_are_not_asked_about(admin: Client):
    make_pair("same")
    Song.objects.update(taken_down_at=timezone.now())
    assert "Nothing is odd" in page(admin, "/manage/pairs/")


def test_the_list_costs_the_same_for_many(admin: Client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            page(admin, "/manage/pairs/")
        return len(caught)

    make_pair("same")
    few = queries()
    for number in range(3):
        make_pair("nothing", title=f"Song {number}")
    assert queries() == few


# --- the page of a song


def test_a_songs_page_leads_to_the_pairs_of_its_covers(admin: Client):
    pair = make_pair("nothing", seems_to_be=factories.make_song("Loch Lomond"))
    told = page(admin, f"/manage/songs/{pair.original.song_id}/")
    assert f'href="/manage/pairs/{pair.pk}/"' in told
    assert "It seems to be Loch Lomond" in told


def test_two_covers_that_are_one_recording_are_told_by_their_numbers(admin: Client):
    first = make_pair()
    other = factories.make_recording(first.original.song, "cover", hz=500)
    both = MinedPair.objects.create(
        original=first.cover, cover=other, finding="same", covered_share=1.0, took_s=0.5, checkpoint="short-made"
    )
    told = page(admin, f"/manage/songs/{first.original.song_id}/")
    assert "This is the same recording as Cover 1: nearly all" in told
    assert "See the pair of Cover 2 and Cover 1" in told
    told = page(admin, f"/manage/pairs/{both.pk}/")
    assert "Cover 2" in told
    assert "against Cover 1 of Auld Lang Syne" in told
    assert "This is the same recording as another cover: nearly all" in page(admin, "/manage/pairs/")


def test_a_pair_of_two_songs_names_both(admin: Client):
    pair = make_pair("nothing")
    pair.cover.song = factories.make_song("Loch Lomond")
    pair.cover.save()
    assert "a recording of Loch Lomond (Trad. Scottish)" in page(admin, f"/manage/pairs/{pair.pk}/")
