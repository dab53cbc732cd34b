"""`manage.py evaluate_qbh`: its answer on standard output, its messages on standard error, bad input in one line."""

import dataclasses
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from chad_site.commands import UNREAD
from ml_worker.audio.melody_files import ReadingStopped
from ml_worker.management.commands.evaluate_qbh import Command
from ml_worker.tests.made_matchers import Alike, ByMeanPitch, curve
from ml_worker.tests.made_pairs import TINY, untrained


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A table of hums and a folder of targets; the matchers are small ones of the tests."""
    own = {"model": ByMeanPitch}
    both = {**own, "baseline": Alike}
    monkeypatch.setattr(Command, "matchers", lambda self, checkpoints, *, baseline: both if baseline else own)
    for number in range(3):
        curve(tmp_path / "targets" / f"t{number}.pv", 50 + number)
    (tmp_path / "targets" / "notes.txt").write_text("Three tunes.")
    for name, pitch in (("a", 50.1), ("b", 52.1), ("c", 52.1), ("quiet", 0)):
        curve(tmp_path / f"{name}.pv", pitch)
    (tmp_path / "q.tsv").write_text("a.pv\tt0\nb.pv\tt2\nc.pv\tunknown\nquiet.pv\tt1\nb.pv\t\n")
    return tmp_path


def called(places, *options):
    call_command("evaluate_qbh", str(places / "q.tsv"), str(places / "targets"), *options)


def test_json_alone_is_printed_and_written(places, capsys):
    called(places, "--json", "--out", str(places / "answer.json"))
    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    assert answer == json.loads((places / "answer.json").read_text())
    assert [query["rank_model"] for query in answer["queries"]] == [1, 1, None, None, None]
    assert [query["rank_baseline"] for query in answer["queries"]] == [3, 3, None, 3, None]
    assert [query["query"] for query in answer["queries"]] == ["a.pv", "b.pv", "c.pv", "quiet.pv", "b.pv"]
    assert printed.err.count("Without a target among the 3 targets: 2 of 5 hums, counted as misses.") == 1
    assert "Sought, and not there: unknown." in printed.err
    assert "Left out: notes.txt is not a pitch curve" in printed.err


def test_people_get_a_table(places, capsys):
    called(places, "--from-start")
    printed = capsys.readouterr().out
    assert "known to begin where their targets do" in printed
    assert "quiet.pv: Nothing was heard. Hum louder." in printed
    assert "baseline" in printed


def test_people_get_the_rank_of_every_hum_the_worst_first(places, capsys):
    called(places, "--ranks")
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    cells = [line.split() for line in table]
    assert cells[0] == ["hum", "target", "model", "baseline"]
    assert [row[0] for row in cells[1:]] == ["c.pv", "quiet.pv", "b.pv", "a.pv", "b.pv"]
    assert [row[1:4] for row in cells[1:3]] == [["unknown", "-", "-"], ["t1", "-", "3"]]
    assert table[2].endswith("Nothing was heard. Hum louder.")
    assert [row[1:] for row in cells[4:]] == [["t0", "1", "3"], ["t2", "1", "3"]]


def test_the_table_of_hums_may_lie_among_the_targets(places, capsys):
    (places / "targets" / "q.tsv").write_text("../a.pv\tt0\n")
    call_command("evaluate_qbh", str(places / "targets" / "q.tsv"), str(places / "targets"), "--json")
    printed = capsys.readouterr()
    assert json.loads(printed.out)["targets"] == 3
    assert "q.tsv" not in printed.err


def test_a_file_is_written_also_where_nobody_reads_the_answer(places, monkeypatch):
    def nobody(self, *answer, **how):
        raise SystemExit(UNREAD)

    monkeypatch.setattr(Command, "answer", nobody)
    with pytest.raises(SystemExit):
        called(places, "--out", str(places / "answer.json"))
    assert json.loads((places / "answer.json").read_text())["targets"] == 3


def test_the_model_alone(places, capsys):
    called(places, "--json", "--no-baseline")
    answer = json.loads(capsys.readouterr().out)
    assert "baseline" not in answer
    assert answer["lead"] == {}


def test_a_collection_by_its_layout(places, capsys):
    for number in (1, 2):
        curve(places / "jang" / "waveFile" / "year2003" / "person1" / f"0000{number}.pv", 50 + number)
    (places / "jang" / "midiFile").mkdir()
    with pytest.raises(SystemExit) as stop:
        call_command("evaluate_qbh", str(places / "jang"), "--layout", "mir-qbsh")
    assert stop.value.code == 2
    assert capsys.readouterr().err.strip() == f"{places / 'jang'} holds no targets."


@pytest.mark.parametrize(
    ("table", "options", "sentence"),
    [
        ("a.pv\tt0\nb.pv\n", [], "Line 2 of"),
        ("", [], "holds no queries"),
        ("a.pv\tt0\n", ["--out", "nowhere/at/all.json"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exits_with_2(places, capsys, table, options, sentence):
    (places / "q.tsv").write_text(table)
    with pytest.raises(SystemExit) as stop:
        called(places, *options)
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert sentence in printed.err
    assert printed.err.strip().count("\n") == 0
    assert printed.out == ""


def test_targets_have_to_be_named_and_told_apart(places, capsys):
    with pytest.raises(SystemExit):
        call_command("evaluate_qbh", str(places / "q.tsv"))
    assert "Name the folder of the targets" in capsys.readouterr().err
    curve(places / "targets" / "again" / "t1.pv", 40)
    with pytest.raises(SystemExit):
        called(places)
    assert "would both be the target 't1'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["q.tsv", "targets/t1.pv", "own.safetensors"])
def test_the_answer_overwrites_nothing_that_is_asked_with(places, capsys, name):
    (places / "own.safetensors").write_text("a checkpoint")
    before = (places / name).read_bytes()
    with pytest.raises(SystemExit) as stop:
        called(places, "--checkpoint", str(places / "own.safetensors"), "--out", str(places / name))
    assert stop.value.code == 2
    assert "is part of what is evaluated" in capsys.readouterr().err
    assert (places / name).read_bytes() == before


def test_an_answer_that_cannot_be_written_to_a_file_is_printed_all_the_same(places, capsys):
    (places / "full.json").symlink_to("/dev/full")
    with pytest.raises(SystemExit) as stop:
        called(places, "--json", "--out", str(places / "full.json"))
    printed = capsys.readouterr()
    assert stop.value.code == 1
    assert json.loads(printed.out)["targets"] == 3
    assert printed.err.splitlines()[-1] == f"{places / 'full.json'} cannot be written: No space left on device."
    assert Path("/dev/full").is_char_device()


def test_an_older_answer_stays_where_a_new_one_cannot_be_written(places, capsys):
    (places / "answer.json").write_text("the older one")
    (places / "answer.json.part").mkdir()
    with pytest.raises(SystemExit) as stop:
        called(places, "--out", str(places / "answer.json"))
    assert stop.value.code == 1
    assert "baseline" in capsys.readouterr().out
    assert (places / "answer.json").read_text() == "the older one"


def test_a_link_keeps_leading_to_the_answer(places):
    (places / "latest.json").symlink_to(places / "answer.json")
    called(places, "--out", str(places / "latest.json"))
    assert (places / "latest.json").is_symlink()
    assert json.loads((places / "answer.json").read_text())["targets"] == 3


def test_links_that_lead_in_circles_are_refused(places, capsys):
    (places / "loop").symlink_to(places / "loop")
    for options in (["q.tsv", "--out", "loop"], ["loop", "--out", "a.json"], ["loop"]):
        queries, *others = [str(places / one) if one[0] != "-" else one for one in options]
        with pytest.raises(SystemExit) as stop:
            call_command("evaluate_qbh", queries, str(places / "targets"), *others)
        assert stop.value.code == 2
        assert f"{places / 'loop'} cannot be" in capsys.readouterr().err
    assert (places / "loop").is_symlink()


def test_a_killed_reader_ends_the_command_in_words(places, capsys, monkeypatch):
    def killed(*paths, **how):
        raise ReadingStopped("A process was killed.")

    monkeypatch.setattr("ml_worker.retrieval.qbh.read_melodies", killed)
    with pytest.raises(SystemExit) as stop:
        called(places)
    assert stop.value.code == 1
    assert capsys.readouterr().err.strip() == "A process was killed."


def test_a_checkpoint_that_does_not_fit_is_refused_before_anything_is_read(places, capsys, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr("ml_worker.retrieval.qbh.read_melodies", pytest.fail)
    wider = dataclasses.replace(untrained(TINY), settings=TINY.changed(width=8))
    with pytest.raises(SystemExit) as stop:
        called(places, "--checkpoint", str(wider.save(places)))
    assert stop.value.code == 2
    assert "cannot be used: The weights do not fit" in capsys.readouterr().err
