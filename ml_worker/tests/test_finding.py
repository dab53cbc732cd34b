"""Searches are answered: by one process, by several, by a real one over HTTP, and after one was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from annotation import search_answers, searching
from annotation.models import Consent, Search
from annotation.models.searches import PATIENCE, STALE_AFTER
from annotation.tests.test_slots import together
from chad_site.celery import app
from chad_site.supervisor import children
from chad_site.supervisor.children import Lifeline
from chad_site.tests.services import Worker, started_worker, wait_until
from ml_worker import finding
from ml_worker.audio.sound import Sound
from ml_worker.finding import Finder, answer_all
from ml_worker.management.commands import find
from ml_worker.models import Checkpoint, Job, SearchIndex
from ml_worker.running import run_here
from ml_worker.tests.made_index import TEMPO_RATIO, TRANSPOSITION, answered_by_workers, hum_of, indexed, made_songs
from ml_worker.tests.made_rows import wav_of
from recordings.models import Fragment, HumCheck, Humming, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db

SEARCHES = "/api/v1/searches"
RATE = 16_000


@pytest.fixture(autouse=True)
def places(settings, tmp_path) -> None:
    """A storage and a folder of indexes of the test's own."""
    factories.use_storage(settings, tmp_path / "storage")
    settings.INDEX_FOLDER = tmp_path / "index"


@pytest.fixture
def songs() -> list[Fragment]:
    made = made_songs([1, 2, 3, 4])
    indexed()
    return made


def sent(data: bytes, person: Any = None, **fields: Any) -> Search:
    asker = searching.Asker(person, "" if person else "a visitor")
    return searching.send(searching.SentSearch(ContentFile(data), **fields), asker)[0]


def answered(data: bytes, **fields: Any) -> Search:
    search = sent(data, **fields)
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    return search


def sound(samples: np.ndarray) -> bytes:
    return wav_of(Sound.from_mono(samples.astype(np.float32), RATE))


# --- a hum is found


def test_a_hum_is_found_at_its_place_with_its_tempo_and_key(songs):
    fragment = songs[2]
    search = answered(hum_of(fragment))
    assert search.state == Search.State.DONE, search.sentence
    best, *others = search.answer["found"]
    assert best["recording"] == str(fragment.recording_id)
    assert len(others) == 3
    assert best["probability"] > 0.5 > others[0]["probability"]
    assert best["start_s"] == pytest.approx(fragment.start_s, abs=0.5)
    assert best["end_s"] == pytest.approx(fragment.end_s, abs=0.7)
    assert best["tempo_ratio"] == pytest.approx(TEMPO_RATIO, abs=0.06)
    assert best["transposition"] == pytest.approx(TRANSPOSITION, abs=0.5)
    assert search.answer["index"]["songs"] == 4
    assert {"waiting", "reading", "melody", "network", "second stage", "weighing"} <= set(search.took)
    assert search.finished_at >= search.claimed_at >= search.created_at


def test_both_curves_of_it_lie_on_one_another(songs):
    search = answered(hum_of(songs[1]))
    drawn = search_answers.curves(search, search_answers.place_of(search, 1))
    hum, song = drawn["hum"], drawn["song"]
    at_s = hum["start_s"] + np.arange(len(hum["pitch"])) * hum["hop_s"]
    under = np.rint((at_s - song["start_s"]) / song["hop_s"]).astype(int)
    inside = (under >= 0) & (under < len(song["pitch"]))
    hummed, sung = (np.array(curve["pitch"], dtype=float) for curve in (hum, song))
    apart = np.abs(hummed[inside] - sung[under[inside]])
    assert np.isfinite(apart).mean() > 0.7
    assert np.nanmedian(apart) < 0.3


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_any_sound_file_is_searched_for(songs, kind, tmp_path):
    (tmp_path / "hum.wav").write_bytes(hum_of(songs[0]))
    samples, rate = soundfile.read(tmp_path / "hum.wav")
    soundfile.write(tmp_path / "hum", samples, rate, format=kind)
    search = answered((tmp_path / "hum").read_bytes())
    assert search.answer["found"][0]["recording"] == str(songs[0].recording_id)


def test_of_a_long_recording_the_beginning_is_searched_for_and_that_is_said(songs, tmp_path):
    (tmp_path / "hum.wav").write_bytes(hum_of(songs[0]))
    samples, rate = soundfile.read(tmp_path / "hum.wav")
    soundfile.write(tmp_path / "long.wav", np.concatenate([samples, np.zeros(20 * rate)]), rate)
    search = answered((tmp_path / "long.wav").read_bytes())
    assert search.answer["warnings"] == [finding.ONLY_FIRST]
    assert search.answer["found"][0]["recording"] == str(songs[0].recording_id)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"no sound at all" * 100, "unreadable", "not audio that we can read"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "unreadable", "damaged or cut off"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "unreadable", "not audio that we can read"),
        (sound(np.zeros(3 * RATE)), "nothing_heard", "could not hear you"),
        (sound(np.random.default_rng(0).normal(0, 0.1, 4 * RATE)), "nothing_heard", "no humming"),
        (sound(0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE // 2) / RATE)), "nothing_heard", "too short"),
    ],
    ids=["a text", "a cut header", "a playlist", "silence", "noise", "half a second"],
)
def test_what_holds_no_hum_is_refused_in_words(songs, data, code, words):
    search = answered(data)
    assert (search.state, search.code) == (Search.State.REFUSED, code)
    assert words in search.sentence
    assert search.answer is None


def test_a_hum_whose_file_is_gone_is_told_so(songs):
    search = sent(hum_of(songs[0]))
    search.audio.storage.delete(search.audio.name)
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert (search.state, search.code) == (Search.State.REFUSED, "lost")


def test_what_goes_wrong_in_one_search_does_not_stop_the_next(songs, monkeypatch, caplog):
    first, second = sent(hum_of(songs[0])), sent(hum_of(songs[1]))
    right = finding.check_hum
    called = []

    def once_wrong(*heard: Any) -> None:
        called.append(heard)
        if len(called) == 1:
            raise ZeroDivisionError
        right(*heard)

    monkeypatch.setattr(finding, "check_hum", once_wrong)
    assert answer_all(Finder(), "this process") == 2
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.code, second.state) == ("unforeseen", Search.State.DONE)
    assert "ZeroDivisionError" in caplog.text


def test_a_database_that_is_away_for_a_moment_costs_no_search(songs, monkeypatch):
    search = sent(hum_of(songs[0]))

    def away(*_: Any) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as moment:
        moment.setattr(finding, "check_hum", away)
        answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert search.state == Search.State.SEARCHING
    Search.objects.update(heartbeat_at=timezone.now() - 2 * STALE_AFTER)
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert search.state == Search.State.DONE


def test_the_sound_of_a_hum_that_goes_on_is_deleted_once_it_is_answered(songs):
    search = sent(hum_of(songs[0]), partial=True)
    storage, name = search.audio.storage, search.audio.name
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert (search.state, bool(search.audio), storage.exists(name)) == (Search.State.DONE, False, False)
    assert search.curve


# --- the index


def test_without_an_index_a_search_waits_and_says_why_and_is_answered_when_it_is_there():
    fragments = made_songs([1, 2])
    search = sent(hum_of(fragments[0]))
    finder = Finder()
    assert answer_all(finder, "this process") == 0
    search.refresh_from_db()
    assert (search.state, search.sentence) == (Search.State.WAITING, finding.BUILDING)
    indexed()
    assert answer_all(finder, "this process") == 1
    search.refresh_from_db()
    assert (search.state, search.sentence) == (Search.State.DONE, "")


def test_where_the_index_does_not_come_the_search_is_refused_with_the_reason():
    fragments = made_songs([1])
    search = sent(hum_of(fragments[0]))
    answer_all(Finder(), "this process")
    Search.objects.update(created_at=timezone.now() - PATIENCE - timedelta(seconds=1))
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert (search.state, search.code, search.sentence) == (Search.State.REFUSED, "too_late", finding.BUILDING)


def test_a_process_searches_the_index_that_is_in_use_now(songs):
    finder = Finder()
    answer_all(finder, "this process")
    new = made_songs([5])
    search = sent(hum_of(new[0]))
    indexed(again=True)
    answer_all(finder, "this process")
    search.refresh_from_db()
    assert search.answer["found"][0]["recording"] == str(new[0].recording_id)
    assert search.answer["index"]["songs"] == 5


def without_weights() -> str:
    """Takes the file of a checkpoint in use away: the checkpoint's name."""
    short = Checkpoint.objects.get(pk=Checkpoint.objects.names_in_use()[0])
    short.file.storage.delete(short.file.name)
    return short.name


def test_where_a_checkpoint_is_missing_who_searches_is_told_at_once_and_the_index_says_which(songs):
    search = sent(hum_of(songs[0]))
    index, name = SearchIndex.in_use(), without_weights()
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert (search.state, search.code, search.sentence) == (Search.State.REFUSED, "no_index", finding.NOT_BUILT)
    index.refresh_from_db()
    assert index.state == SearchIndex.State.FAILED
    assert name in index.problem
    assert "Put it back" in index.problem
    assert name in indexed().failure
    later = sent(hum_of(songs[0]))
    answer_all(Finder(), "this process")
    later.refresh_from_db()
    assert (later.code, later.sentence) == ("no_index", finding.NOT_BUILT)


def test_where_the_index_cannot_be_opened_for_another_reason_searches_do_not_wait(songs, monkeypatch, caplog):
    search = sent(hum_of(songs[0]))

    def breaks(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(finding.Searcher, "open", breaks)
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert (search.state, search.code, search.sentence) == (Search.State.REFUSED, "unforeseen", finding.UNFORESEEN)
    assert "ZeroDivisionError" in caplog.text
    assert SearchIndex.in_use(), "what nobody foresaw is no reason to throw an index away"


def test_while_the_database_is_away_searches_wait_for_it(songs, monkeypatch):
    search = sent(hum_of(songs[0]))

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(finding.Searcher, "open", away)
    with pytest.raises(OperationalError):
        answer_all(Finder(), "this process")
    search.refresh_from_db()
    assert search.state == Search.State.WAITING


# --- several processes


@pytest.mark.django_db(transaction=True)
def test_two_processes_answer_each_search_once(songs):
    hums = [hum_of(songs[number % 4]) for number in range(4)]
    searches = [sent(hum, partial=number > 1) for number, hum in enumerate(hums)]
    counts: list[int] = []
    together(2, lambda number: counts.append(answer_all(Finder(), f"process {number}")))
    assert sum(counts) == 4
    for number, search in enumerate(searches):
        search.refresh_from_db()
        assert (search.state, search.attempts) == (Search.State.DONE, 1)
        assert search.answer["found"][0]["recording"] == str(songs[number % 4].recording_id)


CLAIM_AND_DIE = """
import os, signal, django
django.setup()
from annotation.models import Search
print(Search.claim("a process that is killed").pk, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def environment() -> dict[str, str]:
    """For processes of their own, on the tests' database."""
    return os.environ | {"CHAD_DATABASE_NAME": str(connection.settings_dict["NAME"])}


@pytest.mark.django_db(transaction=True)
def test_a_search_whose_process_was_killed_is_answered_by_the_next(songs, environment):
    search = sent(hum_of(songs[0]))
    killed = subprocess.run([sys.executable, "-c", CLAIM_AND_DIE], env=environment, capture_output=True, text=True)
    assert (killed.returncode, killed.stdout.strip()) == (-signal.SIGKILL, str(search.pk)), killed.stderr
    assert answer_all(Finder(), "this process") == 0, "it may still live"
    Search.objects.update(heartbeat_at=timezone.now() - 2 * STALE_AFTER)
    assert answer_all(Finder(), "this process") == 1
    search.refresh_from_db()
    assert (search.state, search.attempts) == (Search.State.DONE, 2)


# --- a real process


@pytest.fixture
def at_home(settings) -> None:
    """Storage and index where a process of its own looks for them."""
    home = Path(os.environ["CHAD_HOME"])
    settings.STORAGES = factories.storages_in(home / "storage")
    settings.INDEX_FOLDER = home / "index"


@pytest.fixture
def search_worker(
    transactional_db: None, redis_server: str, lifeline: Lifeline, environment: dict[str, str], tmp_path: Path
) -> Iterator[Worker]:
    """The worker that answers searches, as the supervisor starts it."""
    app.control.purge()
    part = children.search_part(1)
    # It says little: the line by which the test knows that it is ready is one of those.
    command = ["INFO" if word == "WARNING" else word for word in part.command]
    with started_worker(part, command, lifeline, environment, tmp_path / "search.log") as worker:
        yield worker


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_real_process_finds_a_real_hum_which_becomes_a_checked_take(at_home, search_worker):
    fragments = made_songs([1, 2, 3])
    indexed()
    person = factories.make_person("ann")
    Consent.give(person)
    browser = Client()
    browser.force_login(person)
    hum = ContentFile(hum_of(fragments[1]), "hum.wav")
    told = browser.post(SEARCHES, {"audio": hum}).json()

    def state() -> str:
        told.update(browser.get(f"{SEARCHES}/{told['id']}?wait=5").json())
        return told["state"]

    wait_until(lambda: state() in ("done", "refused"), "An answer")
    assert told["state"] == "done", told
    best = told["found"][0]
    assert (best["song"]["title"], told["index"]["songs"]) == (fragments[1].song.title, 3)
    assert browser.get(best["curves"]).status_code == 200
    assert browser.get(best["listen"])["Content-Type"] == "audio/flac"
    said = {"song": best["song"]["id"], "right": True, "keep": True}
    marked = browser.post(f"{SEARCHES}/{told['id']}/mark", said, content_type="application/json").json()
    assert marked["kept"] is True
    take = Humming.objects.get()
    assert take.fragment == fragments[1]
    run_here(Job.Kind.CHECK, take.pk)
    check = HumCheck.objects.get(humming=take)
    assert check.ok, check.reasons
    assert check.tempo_ratio == pytest.approx(TEMPO_RATIO, abs=0.06)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_process_itself_killed_is_replaced_and_its_search_answered(at_home, search_worker):
    fragments = made_songs([1])
    indexed()
    searching_ones = [pid for pid in children_of(search_worker.process.pid) if not children_of(pid)]
    assert searching_ones
    for pid in searching_ones:
        os.kill(pid, signal.SIGKILL)
    answered_by_workers(sent(hum_of(fragments[0])), "An answer by the process that took the place of the killed one")


def children_of(pid: int) -> list[int]:
    """All processes below this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found += [int(entry.name), *children_of(int(entry.name))]
    return found


# --- from the shell


def test_the_command_brings_the_index_up_to_date_and_names_the_song(tmp_path, capsys):
    fragments = made_songs([1, 2])
    (tmp_path / "hum.wav").write_bytes(hum_of(fragments[0]))
    call_command("find", str(tmp_path / "hum.wav"), top=1)
    said = capsys.readouterr().out
    assert said.startswith("It is among the songs (")
    assert fragments[0].song.title in said
    assert "0:03–0:1" in said
    new = made_songs([3])
    (tmp_path / "new.wav").write_bytes(hum_of(new[0]))
    call_command("find", str(tmp_path / "new.wav"), json=True)
    told = json.loads(capsys.readouterr().out)
    assert [one["rank"] for one in told["found"]] == [1, 2, 3]
    assert told["found"][0]["song"] == str(new[0].song.pk)
    assert SearchIndex.in_use().songs == 3


@pytest.mark.parametrize(
    ("here", "is_here", "words"),
    [
        (0.9, True, "It is among the songs (90% sure)."),
        (0.64, False, "We are not sure that it is among the songs (64% sure)."),
        (0.2, False, "It may not be among the songs (20% sure)."),
    ],
)
def test_the_command_says_missing_only_where_it_is_rather_not_there(here, is_here, words):
    song = {"rank": 1, "probability": 1.0, "start_s": 3.0, "end_s": 9.0, "title": "Loch Lomond", "artist": "Anon"}
    first, line = find.in_words({"here": here, "is_here": is_here, "found": [song]}).splitlines()
    assert first == words
    assert " 99% " in line, "no search is certain"


def test_many_hums_give_a_line_each_and_errors_are_lines(songs, tmp_path, capsys):
    (tmp_path / "hum.wav").write_bytes(hum_of(songs[3]))
    (tmp_path / "silence.wav").write_bytes(sound(np.zeros(3 * RATE)))
    lines = [tmp_path / "hum.wav", tmp_path / "silence.wav", tmp_path / "nothing.wav", "", f"{tmp_path}\tmore"]
    (tmp_path / "hums.tsv").write_text("\n".join(map(str, lines)) + "\n")
    with pytest.raises(SystemExit) as ended:
        call_command("find", batch=str(tmp_path / "hums.tsv"))
    assert ended.value.code == 1, "a script notices"
    printed = capsys.readouterr()
    assert "without an answer: 4" in printed.err
    first, *others = [json.loads(line) for line in printed.out.splitlines()]
    assert first["found"][0]["title"] == songs[3].song.title
    assert len(others) == 4
    assert all(set(line) == {"error"} for line in others)
    assert "could not hear you" in others[0]["error"]


def test_the_command_takes_as_much_of_a_long_file_as_the_page_and_says_so(songs, tmp_path, capsys):
    (tmp_path / "hum.wav").write_bytes(hum_of(songs[0]))
    samples, rate = soundfile.read(tmp_path / "hum.wav")
    silence = np.zeros(20 * rate)
    soundfile.write(tmp_path / "long.wav", np.concatenate([samples, silence, samples]), rate)
    soundfile.write(tmp_path / "late.wav", np.concatenate([silence, samples]), rate)
    call_command("find", str(tmp_path / "long.wav"), top=1)
    printed = capsys.readouterr()
    assert songs[0].song.title in printed.out
    assert printed.err == f"{finding.ONLY_FIRST}\n"
    call_command("find", str(tmp_path / "long.wav"), json=True)
    assert json.loads(capsys.readouterr().out)["warnings"] == [finding.ONLY_FIRST]
    with pytest.raises(SystemExit):
        call_command("find", str(tmp_path / "late.wav"))
    assert "could not hear you" in capsys.readouterr().err


def test_of_a_long_pitch_curve_the_beginning_is_heard(tmp_path):
    curve = tmp_path / "curve.csv"
    curve.write_text("".join(f"{frame / 100}\t{220 + 20 * (frame // 50 % 5)}\n" for frame in range(2000)))
    hum = finding.hum_in(curve)
    assert hum.melody.duration_s == pytest.approx(finding.LONGEST_S, abs=0.05)
    assert hum.warnings == (finding.ONLY_FIRST,)


def test_a_song_that_was_taken_down_this_moment_is_not_named(songs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ml_worker.management.commands.find.index_lacks_something", lambda index: False)
    Song.objects.filter(pk=songs[0].song.pk).update(taken_down_at=timezone.now())
    (tmp_path / "hum.wav").write_bytes(hum_of(songs[0]))
    call_command("find", str(tmp_path / "hum.wav"), json=True)
    told = json.loads(capsys.readouterr().out)
    assert songs[0].song.title not in [one["title"] for one in told["found"]]
    assert len(told["found"]) == 3


@pytest.mark.parametrize("asked", [[], ["nowhere.wav"], ["nowhere.wav", "--top=0"], ["--batch=nowhere.tsv"]])
def test_bad_input_ends_with_two(songs, asked, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("find", *asked)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_names_the_checkpoint_that_is_missing(songs, tmp_path, capsys):
    (tmp_path / "hum.wav").write_bytes(hum_of(songs[0]))
    name = without_weights()
    for _ in range(2):
        with pytest.raises(SystemExit):
            call_command("find", str(tmp_path / "hum.wav"))
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"The file of the checkpoint {name} is missing"), said


def test_without_songs_the_command_says_what_to_do(tmp_path, capsys):
    (tmp_path / "hum.wav").write_bytes(sound(np.zeros(RATE)))
    with pytest.raises(SystemExit):
        call_command("find", str(tmp_path / "hum.wav"))
    assert "manage.py analyse" in capsys.readouterr().err
