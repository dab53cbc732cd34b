"""Filters of what a search found, and how many videos are lost over time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.collecting.filters import FILTERS, FoundVideo, Sought, clock, reasons, share_of_title
from ml_worker.collecting.losses import Followed, still_there

SONG = Sought("Someone Like You", "Adele", 285.0)


def video(title: str = "Someone Like You (cover)", channel: str = "Somebody sings", **told: object) -> FoundVideo:
    return FoundVideo("aaaaaaaaaaa", title, channel, **{"duration_s": 280.0, **told})


def names(found: FoundVideo, song: Sought = SONG) -> set[str]:
    return {reason.filter for reason in reasons(found, song)}


def test_a_plain_cover_passes():
    assert names(video("Adele - Someone Like You | cover by Ann")) == set()


@pytest.mark.parametrize(
    ("title", "filter"),
    [
        ("Someone Like You KARAOKE version", "karaoke"),
        ("Someone Like You - Ann (Live at the Apollo)", "live"),
        ("Someone like you, instrumental", "instrumental"),
        ("Someone Like You (Piano Cover)", "instrumental"),
        ("REACTING to Someone Like You", "reaction"),
        ("Someone Like You guitar tutorial", "lesson"),
        ("How to play Someone Like You", "lesson"),
        ("someone like you (sped up)", "speed"),
        ("someone like you slowed + reverb", "speed"),
        ("Nightcore - Someone Like You", "speed"),
        ("Someone Like You 8D", "spatial"),
        ("Someone Like You / Hello mashup", "mixed"),
        ("Hello", "title"),
    ],
)
def test_words_of_the_title_put_a_video_aside(title: str, filter: str):
    found = reasons(video(title), SONG)
    assert [reason.filter for reason in found] == [filter]
    assert found[0].sentence.endswith(".")


def test_words_of_the_song_itself_put_nothing_aside():
    song = Sought("Live and Let Die", "Karaoke Queen")
    assert names(video("Karaoke Queen - Live and Let Die (cover)"), song) == set()
    assert names(video("Live and Let Die (live)"), song) == {"live"}


def test_a_word_within_a_word_is_none():
    assert names(video("Someone Like You, delivered with olive oil, relived")) == set()


@pytest.mark.parametrize("channel", ["Adele", "Adele - Topic", "AdeleVEVO", "ADELE Official"])
def test_the_artists_own_channel_is_probably_the_original(channel: str):
    assert names(video(channel=channel)) == {"artist"}
    assert names(video(channel="Adele Smith")) == set()


@pytest.mark.parametrize(
    ("seconds", "aside"),
    [(None, False), (142.0, True), (143.0, False), (570.0, False), (571.0, True), (7200.0, True)],
)
def test_beside_a_known_original_a_cover_has_half_to_twice_its_length(seconds: float | None, aside: bool):
    assert names(video(duration_s=seconds)) == ({"length"} if aside else set())


@pytest.mark.parametrize(("seconds", "aside"), [(59.0, True), (60.0, False), (600.0, False), (601.0, True)])
def test_without_an_original_a_cover_has_one_to_ten_minutes(seconds: float, aside: bool):
    assert names(video(duration_s=seconds), Sought(SONG.title, SONG.artist)) == ({"length"} if aside else set())


def test_only_the_filters_that_are_on_put_aside():
    found = video("Hello (live karaoke)", duration_s=5.0)
    assert {reason.filter for reason in reasons(found, SONG, ["live", "length"])} == {"live", "length"}
    assert reasons(found, SONG, []) == []
    with pytest.raises(KeyError):
        reasons(found, SONG, ["no such filter"])


titles = st.text(max_size=40)


@given(titles, titles)
def test_a_title_is_in_whatever_it_stands_in(title: str, around: str):
    assert share_of_title(f"{around} {title}", title) == 1.0
    assert 0.0 <= share_of_title(around, title) <= 1.0


def test_scripts_without_spaces_are_compared_as_they_stand():
    assert share_of_title("【歌ってみた】夜に駆ける", "夜に駆ける") == 1.0


@given(titles, titles, st.none() | st.floats(0, 1e5), titles, titles, st.none() | st.floats(0, 1e4))
def test_every_filter_gives_nothing_or_a_sentence(
    title: str, channel: str, length: float | None, sought: str, artist: str, original: float | None
):
    found = reasons(FoundVideo("aaaaaaaaaaa", title, channel, length), Sought(sought, artist, original))
    assert {reason.filter for reason in found} <= set(FILTERS)
    assert all(reason.sentence.endswith(".") for reason in found)


@pytest.mark.parametrize(("seconds", "words"), [(5, "0:05"), (59.6, "1:00"), (185, "3:05"), (3723, "1:02:03")])
def test_lengths_are_written_as_on_a_clock(seconds: float, words: str):
    assert clock(seconds) == words


# --- losses


def test_without_censoring_the_share_still_there_is_a_plain_share():
    curve = dict(still_there([Followed(1, True), Followed(2, True), Followed(9, False), Followed(9, False)]))
    assert curve == {0.0: 1.0, 1: 0.75, 2: 0.5, 9: 0.5}


def test_a_video_counts_as_long_as_it_was_followed():
    """The textbook's way by hand: 4 at risk at month 2, then 2 at risk at month 5."""
    videos = [Followed(2, True), Followed(3, False), Followed(5, True), Followed(8, False)]
    assert still_there(videos) == [(0.0, 1.0), (2, 0.75), (5, 0.375), (8, 0.375)]


@given(st.lists(st.builds(Followed, st.floats(0, 60), st.booleans()), max_size=30))
def test_the_share_falls_from_one_and_never_rises(videos: list[Followed]):
    curve = still_there(videos)
    shares = [share for _, share in curve]
    assert curve[0] == (0.0, 1.0)
    assert shares == sorted(shares, reverse=True)
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert [month for month, _ in curve] == sorted(month for month, _ in curve)
    if not any(video.is_lost for video in videos):
        assert shares[-1] == 1.0
