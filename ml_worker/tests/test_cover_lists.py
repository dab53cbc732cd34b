"""Lists and folders of covers brought in: what would come, that it comes once, and that a stopped run goes on."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from ml_worker import cover_lists
from ml_worker.collecting.lists import read
from ml_worker.models import Job
from recordings.models import CoverCandidate, Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db

LIST = """work_id,title,performer,youtube_id,year,original
1,Hallelujah,Leonard Cohen,YrLk4vdY28Q,1984,yes
1,Hallelujah,Jeff Buckley,y8AWFf7EAc4,1994,no
1,Hallelujah,John Cale,,1991,no
2,Yesterday,The Beatles,NrgmdOz227I,1965,
2,Yesterday,Marianne Faithfull,aaaaaaaaaaa,1965,
2,Yesterday,,not an id,1999,
"""


@pytest.fixture(autouse=True)
def storage(settings, tmp_path: Path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def covers(tmp_path: Path) -> Path:
    file = tmp_path / "covers.csv"
    file.write_text(LIST)
    return file


def run(capsys, source: Path, **options: Any) -> dict[str, Any]:
    """The command's answer with --json."""
    call_command("import_covers", str(source), json=True, **options)
    return json.loads(capsys.readouterr().out)


def everything() -> tuple[int, int, int]:
    return Song.objects.count(), Recording.objects.count(), CoverCandidate.objects.count()


def test_a_dry_run_says_what_would_come_and_changes_nothing(covers: Path, capsys):
    told = run(capsys, covers, dry_run=True)
    assert everything() == (0, 0, 0)
    assert told["songs"] == {"new": 2, "known": 0, "left_out": 0, "alone": 0}
    assert told["recordings"] == {"original": 2, "cover": 2, "without a video": 1}
    assert told["originals_guessed"] == 1
    assert [problem["place"] for problem in told["problems"]] == ["line 7"]
    assert told["problems"][0]["sentence"].startswith("“not an id” is neither a YouTube id nor the address")
    first = {"title": "Hallelujah", "artist": "Leonard Cohen", "song": None, "is_new": True}
    assert told["table"][0] == first | {"originals": 1, "covers": 1, "others": {"without a video": 1}}


def test_a_list_brings_songs_originals_and_approved_covers_that_wait_to_be_fetched(covers: Path, capsys):
    assert run(capsys, covers)["done"] == {"original": 2, "cover": 2}
    rows = Recording.objects.values_list("song__title", "kind", "artist", "youtube_id", "state", "source")
    assert sorted(rows) == [
        ("Hallelujah", "cover", "Jeff Buckley", "y8AWFf7EAc4", "waiting", "youtube"),
        ("Hallelujah", "original", "Leonard Cohen", "YrLk4vdY28Q", "waiting", "youtube"),
        ("Yesterday", "cover", "Marianne Faithfull", "aaaaaaaaaaa", "waiting", "youtube"),
        ("Yesterday", "original", "The Beatles", "NrgmdOz227I", "waiting", "youtube"),
    ]
    candidate = CoverCandidate.objects.get(youtube_id="y8AWFf7EAc4")
    assert (candidate.state, candidate.found_by, candidate.recording.artist) == (
        "approved",
        "covers.csv",
        "Jeff Buckley",
    )
    assert [change.why for change in candidate.history] == ["In the list covers.csv."]


def test_twice_is_once(covers: Path, capsys):
    run(capsys, covers, search=True)
    before = everything()
    told = run(capsys, covers, search=True)
    assert everything() == before
    assert (told["done"], told["songs"]) == ({}, {"new": 0, "known": 2, "left_out": 0, "alone": 0})
    assert told["recordings"] == {"without a video": 1, "here already": 4}
    assert Job.objects.filter(kind=Job.Kind.SEARCH).count() == 1


def test_a_run_that_was_killed_goes_on_with_the_next_song(covers: Path, capsys, monkeypatch):
    real = cover_lists._bring_cover

    def killed_at_yesterday(row, *others: Any) -> None:
        if row.title == "Yesterday":
            raise KeyboardInterrupt
        real(row, *others)

    monkeypatch.setattr(cover_lists, "_bring_cover", killed_at_yesterday)
    with pytest.raises(KeyboardInterrupt):
        run(capsys, covers)
    assert everything() == (1, 2, 1), "a song comes as a whole, or not at all"
    monkeypatch.setattr(cover_lists, "_bring_cover", real)
    assert run(capsys, covers)["done"] == {"original": 1, "cover": 1}
    assert everything() == (2, 4, 2)


def test_proposed_covers_wait_for_a_person(covers: Path, capsys):
    run(capsys, covers, propose=True)
    assert set(CoverCandidate.objects.values_list("state", flat=True)) == {"proposed"}
    assert not Recording.objects.covers().exists()
    assert run(capsys, covers, propose=True)["recordings"]["here already"] == 4
    assert run(capsys, covers)["done"] == {"cover": 2}


def test_what_is_here_is_found_again_by_its_name_and_by_its_video(covers: Path, capsys):
    hallelujah = factories.make_song("HALLELUJAH", "Léonard Cohen")
    other = factories.make_song("Gestern", "Somebody")
    factories.make_recording(other, youtube_id="NrgmdOz227I", source="youtube")
    third = factories.make_song("A third song")
    factories.make_recording(third, "cover", youtube_id="y8AWFf7EAc4", source="youtube", hz=300.0)
    told = run(capsys, covers)
    assert told["songs"] == {"new": 0, "known": 2, "left_out": 0, "alone": 0}
    assert told["recordings"] == {
        "original": 1, "cover": 1, "without a video": 1, "here already": 1, "here in another song": 1,
    }  # fmt: skip
    assert hallelujah.original.youtube_id == "YrLk4vdY28Q"
    assert other.recordings.covers().get().youtube_id == "aaaaaaaaaaa"
    assert Song.objects.count() == 3


def test_a_guessed_original_of_a_song_that_has_one_is_a_cover(capsys, tmp_path: Path):
    factories.make_recording(factories.make_song("Yesterday", "The Beatles"))
    for said, becomes in (("", {"cover": 1}), ("yes", {"second original": 1})):
        file = tmp_path / "one.csv"
        file.write_text(f"title,artist,youtube_id,original\nYesterday,The Beatles,NrgmdOz227I,{said}\n")
        assert run(capsys, file, dry_run=True)["recordings"] == becomes


def test_two_groups_that_are_one_song_here_give_it_one_original(capsys, tmp_path: Path):
    song = factories.make_song("Yesterday", "The Beatles")
    file = tmp_path / "two.csv"
    file.write_text(
        "group,title,artist,youtube_id,original\n"
        "1,Yesterday,The Beatles,NrgmdOz227I,yes\n"
        "2,Ieri,Somebody,aaaaaaaaaaa,yes\n2,Yesterday,The Beatles,bbbbbbbbbbb,no\n"
    )
    assert run(capsys, file)["done"] == {"original": 1, "cover": 1}
    assert song.original.youtube_id == "NrgmdOz227I"


def test_what_a_person_refused_does_not_come_back_with_a_list(covers: Path, capsys):
    song = factories.make_song("Hallelujah", "Leonard Cohen")
    CoverCandidate.objects.create(song=song, youtube_id="y8AWFf7EAc4", title="x", found_by="x", state="refused")
    assert run(capsys, covers)["recordings"]["refused before"] == 1
    assert not Recording.objects.filter(youtube_id="y8AWFf7EAc4").exists()


def test_a_video_that_a_list_names_twice_comes_once(capsys, tmp_path: Path):
    file = tmp_path / "twice.csv"
    file.write_text("title,artist,youtube_id\nA,X,aaaaaaaaaaa\nA,Y,bbbbbbbbbbb\nB,X,aaaaaaaaaaa\nA,Z,bbbbbbbbbbb\n")
    told = run(capsys, file)
    assert told["recordings"] == {"original": 1, "cover": 1, "given twice": 2}
    assert Song.objects.count() == 1


def test_a_song_that_was_taken_down_does_not_come_back(covers: Path, capsys):
    song = factories.make_song("Hallelujah", "Leonard Cohen")
    Song.objects.filter(pk=song.pk).update(taken_down_at=song.created_at)
    told = run(capsys, covers)
    assert {"place": "Hallelujah", "sentence": f"{song} was taken down. Put it back first."} in told["problems"]
    assert not song.recordings.exists()


def test_at_most_so_many_songs_come_with_the_licence_that_is_named(covers: Path, capsys):
    run(capsys, covers, limit=1, licence="CC-BY-4.0", redistributable=True)
    assert everything() == (1, 2, 1)
    assert set(Recording.objects.values_list("licence", "redistributable")) == {("CC-BY-4.0", True)}


def test_songs_of_a_list_without_videos_can_be_searched_for(capsys, tmp_path: Path):
    file = tmp_path / "datacos.json"
    one = {"work_title": "Trade Winds", "work_artist": "Aki Aleong", "perf_title": "Trade Winds", "perf_artist": "Bo"}
    file.write_text(json.dumps({"W_1": {"P_1": one, "P_2": one}}))
    assert run(capsys, file, search=True)["done"] == {"search": 1}
    song = Song.objects.get()
    assert (song.title, song.artist) == ("Trade Winds", "Aki Aleong")
    assert Job.objects.get(kind=Job.Kind.SEARCH).subject == str(song.pk)


def test_songs_without_videos_are_left_out_where_no_search_is_asked_for(capsys, tmp_path: Path):
    file = tmp_path / "names.csv"
    file.write_text("title,artist,youtube_id\nNamed,X,\nNamed,Y,\nHeard,Z,aaaaaaaaaaa\n")
    for options, songs in (({}, (1, 1)), ({"search": True}, (2, 0))):
        told = run(capsys, file, dry_run=True, **options)
        assert (told["songs"]["new"], told["songs"]["left_out"]) == songs
        assert [row["is_new"] for row in told["table"]] == ["search" in options, True]
    call_command("import_covers", str(file), dry_run=True)
    assert "songs left out, as none of their videos is named: 1; --search looks for them" in capsys.readouterr().out
    assert run(capsys, file)["done"] == {"original": 1}
    assert Song.objects.get().title == "Heard"


def test_new_songs_without_a_cover_are_counted(capsys, tmp_path: Path):
    file = tmp_path / "list.csv"
    file.write_text("title,artist,url\nAlone,A,aaaaaaaaaaa\nAlone,B,\nTwo,C,bbbbbbbbbbb\nTwo,D,ccccccccccc\n")
    assert run(capsys, file, dry_run=True)["songs"]["alone"] == 1
    assert run(capsys, file, dry_run=True, search=True)["songs"]["alone"] == 0
    call_command("import_covers", str(file), dry_run=True)
    assert "new songs without a cover, in which nothing can be mined: 1" in capsys.readouterr().out


def test_where_nothing_can_be_used_the_answer_begins_with_that(capsys, tmp_path: Path):
    file = tmp_path / "list.csv"
    file.write_text("title,artist,url\n" + "A,B,no video\n" * 30)
    call_command("import_covers", str(file))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Nothing can be used."
    assert lines[-2] == "and 10 more that cannot be used; --json tells of the first 10,000"


def planned(source: Path, **options: bool) -> cover_lists.Plan:
    with source.open("rb") as file:
        return cover_lists.plan_list(read(file, name=source.name), **options)


@pytest.mark.parametrize("propose", [False, True])
def test_a_list_that_is_planned_twice_before_it_comes_comes_once(covers: Path, propose: bool):
    terms = cover_lists.Terms("covers.csv", propose=propose, search=True)
    first, second = (planned(covers, propose=propose, search=True) for _ in range(2))
    assert cover_lists.bring_in(first, terms) == {"original": 2, "cover": 2, "search": 1}
    before = everything()
    problems = list(second.problems)
    assert cover_lists.bring_in(second, terms) == {}
    assert everything() == before
    assert second.problems == problems


@pytest.mark.django_db(transaction=True)
def test_a_list_that_two_people_bring_in_at_once_comes_once(covers: Path):
    terms = cover_lists.Terms("covers.csv", propose=True)
    both_planned = threading.Barrier(2, timeout=20)

    def bring() -> Counter[str]:
        try:
            plan = planned(covers, propose=True)
            both_planned.wait()
            return Counter(cover_lists.bring_in(plan, terms))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        came = [person.result() for person in [people.submit(bring) for _ in range(2)]]
    assert sum(came, Counter()) == {"original": 2, "cover": 2}
    assert everything() == (2, 2, 2)


def test_a_song_whose_videos_came_with_another_meanwhile_does_not_come_empty(covers: Path):
    plan = planned(covers)
    other = factories.make_song("Another")
    for number, video in enumerate(("NrgmdOz227I", "aaaaaaaaaaa")):
        factories.make_recording(other, "cover", youtube_id=video, source="youtube", hz=300.0 + number)
    cover_lists.bring_in(plan, cover_lists.Terms("covers.csv"))
    assert not Song.objects.filter(title="Yesterday").exists()
    assert [place for place, _ in plan.problems] == ["Yesterday", "line 7"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "folder"
    for place, hz in (("Cohen - Hallelujah/original.wav", 220), ("Cohen - Hallelujah/Jeff_Buckley.wav", 330)):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(factories.audio_file(factories.tone(5.0, hz)))
    (root / "Cohen - Hallelujah/again.wav").write_bytes((root / "Cohen - Hallelujah/original.wav").read_bytes())
    (root / "Cohen - Hallelujah/notes.txt").write_text("notes")
    return root


def test_a_folder_comes_once_with_its_dry_run_before(folder: Path, capsys):
    told = run(capsys, folder, dry_run=True)
    assert everything() == (0, 0, 0)
    assert told["recordings"] == {"original": 1, "cover": 1, "given twice": 1}
    assert [problem["place"] for problem in told["problems"]] == ["Cohen - Hallelujah/notes.txt"]
    assert run(capsys, folder)["done"] == {"original": 1, "cover": 1}
    rows = Recording.objects.values_list("song__title", "kind", "artist", "source", "state")
    assert sorted(rows) == [
        ("Hallelujah", "cover", "Jeff Buckley", "file", "waiting"),
        ("Hallelujah", "original", "Cohen", "file", "waiting"),
    ]
    again = run(capsys, folder)
    assert (again["done"], again["recordings"]) == ({}, {"here already": 3})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "csv", "source": "nowhere.csv"}, "cannot be read"),
        ({"source": ".", "format": "csv"}, "cannot be read"),
        ({"redistributable": True}, "Name the licence"),
        ({"limit": 0}, "from 1 to 1,000,000"),
        ({"limit": 2**70}, "from 1 to 1,000,000"),
        ({"licence": "x" * 201, "dry_run": True}, "at most 200 letters"),
        ({"format": "datacos"}, "no JSON"),
    ],
)
def test_bad_input_is_one_clear_line(covers: Path, capsys, options: dict[str, Any], words: str):
    with pytest.raises(SystemExit) as ended:
        call_command("import_covers", options.pop("source", str(covers)), **options)
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.out == ""
    assert words in told.err
    assert len(told.err.strip().splitlines()) == 1
