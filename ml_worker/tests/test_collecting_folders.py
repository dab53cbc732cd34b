"""Folders of covers: `song/version.ext`, and what is not brought in from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_worker.collecting.folders import read_folder
from ml_worker.collecting.lists import UnreadableList


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "covers"
    folder.mkdir()
    return folder


def put(root: Path, place: str, data: bytes = b"sound") -> Path:
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def test_a_song_is_a_folder_and_its_original_comes_first(root: Path):
    for place in (
        "Cohen - Hallelujah/buckley.mp3",
        "Cohen - Hallelujah/Original.FLAC",
        "Yesterday/b.wav",
        "Yesterday/a.ogg",
    ):
        put(root, place)
    found = read_folder(root)
    assert not found.problems
    assert [(row.title, row.artist, row.performer, row.is_original) for row in found.rows] == [
        ("Hallelujah", "Cohen", "Cohen", True),
        ("Hallelujah", "Cohen", "buckley", False),
        ("Yesterday", "unknown artist", "a", True),
        ("Yesterday", "unknown artist", "b", False),
    ]


def test_what_is_not_brought_in_is_told_in_words(root: Path, tmp_path: Path):
    outside = put(tmp_path, "secret/outside.wav")
    put(root, "Song/a.wav")
    put(root, "Song/.hidden.wav")
    put(root, "Song/cover.jpg")
    put(root, "Song/empty.wav", b"")
    put(root, "Song/deeper/b.wav")
    put(root, "loose.wav")
    put(root, ".git/config.wav")
    (root / "Song/link.wav").symlink_to(outside)
    (root / "Song/broken.wav").symlink_to(root / "nowhere.wav")
    (root / "Linked").symlink_to(outside.parent)
    found = read_folder(root)
    assert [row.path.name for row in found.rows] == ["a.wav"]
    why = {problem.place: problem.sentence for problem in found.problems}
    assert set(why) == {
        "Song/.hidden.wav", "Song/cover.jpg", "Song/empty.wav", "Song/deeper", "loose.wav", ".git", "Song/link.wav",
        "Song/broken.wav", "Linked",
    }  # fmt: skip
    assert why["Song/link.wav"] == why["Linked"] == "It is a link that leaves the folder."
    assert why[".git"] == why["Song/.hidden.wav"] == "It is hidden."
    assert ".jpg" in why["Song/cover.jpg"]


def test_links_in_a_circle_are_told_and_the_others_go_on(root: Path):
    put(root, "Song/a.wav")
    for link, leads_to in (("Song/b.wav", "c.wav"), ("Song/c.wav", "b.wav"), ("Round", "Round")):
        (root / link).symlink_to(leads_to)
    found = read_folder(root)
    assert [row.path.name for row in found.rows] == ["a.wav"]
    assert {problem.place: problem.sentence for problem in found.problems} == dict.fromkeys(
        ["Round", "Song/b.wav", "Song/c.wav"], "It cannot be read: its links lead in a circle."
    )
    with pytest.raises(UnreadableList, match="its links lead in a circle"):
        read_folder(root / "Round")


def test_a_link_within_the_folder_may_be_followed(root: Path):
    file = put(root, "Song/a.wav")
    put(root, "Other/original.wav")
    (root / "Other/b.wav").symlink_to(file)
    assert [row.path.name for row in read_folder(root).rows] == ["original.wav", "b.wav", "a.wav"]


def test_a_folder_that_is_not_there_is_said_to_be(root: Path):
    with pytest.raises(UnreadableList, match="cannot be read"):
        read_folder(root / "nowhere")


def test_names_that_are_no_text_are_told_without_what_is_none(root: Path):
    put(root, "Song\udcff/notes.txt")
    put(root, "Song\udcff/a\udcff.wav")
    found = read_folder(root)
    assert [(row.title, row.performer) for row in found.rows] == [("Song", "a")]
    assert [problem.place for problem in found.problems] == ["Song /notes.txt"]


def test_a_song_without_audio_gives_no_rows(root: Path):
    put(root, "Song/notes.txt")
    found = read_folder(root)
    assert (found.rows, [problem.place for problem in found.problems]) == ([], ["Song/notes.txt", "Song"])
    assert "no file of audio" in found.problems[-1].sentence


def test_an_empty_folder_is_said_to_be(root: Path):
    with pytest.raises(UnreadableList, match="is empty"):
        read_folder(root)
    (root / "Song").mkdir()
    assert [problem.place for problem in read_folder(root).problems] == ["Song"]
