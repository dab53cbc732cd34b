"""A release that was tampered with is caught, and each fault is named."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

from recordings.models import CoverFragment
from recordings.release import ReleaseRefused, export, freeze, verify
from recordings.release.checked.checks import Row, leaks
from recordings.release.layout import INDEX, LATER
from recordings.release.tables import LATER_COLUMNS
from recordings.tests import factories as make

# The release is made in a database; none of these tests needs one any more.
pytestmark = pytest.mark.django_db

DATASET, VERSIONS, CARD = "metadata/dataset.csv", "metadata/versions.csv", "metadata/release.json"


@pytest.fixture(scope="module")
def exported(django_db_setup, django_db_blocker, tmp_path_factory) -> Path:
    """A release of two songs, made once; each test takes a copy."""
    folder = tmp_path_factory.mktemp("release")
    own_storage = override_settings(STORAGES=make.storages_in(folder / "storage"))
    with django_db_blocker.unblock(), own_storage, transaction.atomic():
        for title, hz in (("Auld Lang Syne", 220.0), ("Ode to Joy", 247.0)):
            original = make.make_recording(make.make_song(title), hz=hz, redistributable=True, licence="CC0")
            fragment = make.make_fragment(original)
            make.make_humming(fragment, wav=make.audio_file(make.tone(5.5, hz / 2)))
            make.make_cover_fragment(fragment, state=CoverFragment.State.ACCEPTED)
        export(freeze("1.0"), folder / "out")
        transaction.set_rollback(True)
    return folder / "out"


@pytest.fixture
def out(exported, tmp_path) -> Path:
    return shutil.copytree(exported, tmp_path / "copy")


def audio_files(out: Path) -> list[Path]:
    return sorted(out.rglob("*.flac"))


def rewrite(out: Path, path: str, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Changes the rows of a table and mends its sum, as somebody would who wants it to go unnoticed."""
    with (out / path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    change(rows)
    with (out / path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    mend_sum(out, path)


def mend_sum(out: Path, path: str) -> None:
    lines = (out / "SHA256SUMS").read_text().splitlines()
    digest = hashlib.sha256((out / path).read_bytes()).hexdigest()
    mended = [f"{digest}  {path}" if line.endswith(f"  {path}") else line for line in lines]
    (out / "SHA256SUMS").write_text("\n".join(mended) + "\n")


def told_once(out: Path) -> list[str]:
    """The faults of a release, without those that say that what repeats a table now says something else."""
    repeating = ("metadata/dataset.parquet", "metadata/versions.parquet", "metadata/chad_index", "data/")
    return [line for line in verify(out).lines if not line.startswith(repeating)]


def without_what_came_later(out: Path) -> None:
    """Makes it a release of the time when it was two tables, texts and audio."""
    for part in ("data", "f0"):
        shutil.rmtree(out / part)
    lines = (out / "SHA256SUMS").read_text().splitlines()
    later = [line for line in lines if is_later(line.split("  ", 1)[1])]
    for line in later:
        (out / line.split("  ", 1)[1]).unlink()
    (out / "SHA256SUMS").write_text("\n".join(line for line in lines if line not in later) + "\n")
    card = json.loads((out / CARD).read_text())
    del card["files"]
    (out / CARD).write_text(json.dumps(card))
    mend_sum(out, CARD)


def is_later(path: str) -> bool:
    return path in LATER - {"REMOVED.tsv"} or INDEX.fullmatch(path) is not None


def row_of(rows: list[dict[str, str]], audio_type: str) -> dict[str, str]:
    return next(row for row in rows if row["audio_type"] == audio_type)


def test_an_untouched_release_is_in_order(out):
    findings = verify(out)
    assert findings.lines == []
    assert findings.version == "1.0"
    assert findings.counts == {
        "rows": 6,
        "versions": 6,
        "songs": 2,
        "fragments": 2,
        "original": 2,
        "cover": 2,
        "humming": 2,
        "audio_files": 4,
        "removed": 0,
        "files": len([path for path in out.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]),
    }


def test_a_release_from_before_a_column_was_told_is_still_in_order(out):
    without_what_came_later(out)
    with (out / VERSIONS).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (out / VERSIONS).open("w", encoding="utf-8", newline="") as file:
        first = [name for name in rows[0] if not any(name in came for came in LATER_COLUMNS)]
        writer = csv.DictWriter(file, first, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    mend_sum(out, VERSIONS)
    assert verify(out).lines == []


def test_progress_goes_from_nothing_to_all(out):
    told = []
    verify(out, lambda share, message: told.append((share, message)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (told[0][0], told[-1]) == (0.0, (1.0, "Done"))
    assert told[0][1].startswith("File 1 of ")


def test_a_flipped_byte_is_named(out):
    path = audio_files(out)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verify(out).lines == [f"{path.relative_to(out)}: was changed: its sum is not the one in SHA256SUMS"]


@pytest.mark.parametrize("path", [DATASET, "README.md", "LICENSE", "metadata/release.json"])
def test_a_changed_text_is_named(out, path):
    with (out / path).open("a") as file:
        file.write(" ")
    assert f"{path}: was changed: its sum is not the one in SHA256SUMS" in verify(out).lines


def test_a_missing_audio_file_is_named(out):
    path = audio_files(out)[0]
    path.unlink()
    assert verify(out).lines == [f"{path.relative_to(out)}: is missing"]


def test_missing_sums_are_named(out):
    (out / "SHA256SUMS").unlink()
    lines = verify(out).lines
    assert lines == ["SHA256SUMS: is missing or no text: the export did not finish, or the file was removed"]


def test_a_missing_table_is_named_once(out):
    (out / VERSIONS).unlink()
    lines = verify(out).lines
    assert f"{VERSIONS}: is missing" in lines
    assert not [line for line in lines if "has no row of its own" in line]


def test_a_foreign_file_is_named(out):
    (out / "metadata/notes.txt").write_text("mine")
    assert verify(out).lines == ["metadata/notes.txt: is not part of the release"]


def test_a_link_is_named_and_not_followed(out, tmp_path):
    path = audio_files(out)[0]
    path.rename(tmp_path / "elsewhere.flac")
    path.symlink_to(tmp_path / "elsewhere.flac")
    assert verify(out).lines == [f"{path.relative_to(out)}: is a link; a release has files only"]


@pytest.fixture
def in_time() -> Iterator[None]:
    """Fails where a check waits for what never comes."""

    def give_up(*anything: object) -> None:
        raise TimeoutError("The check hangs.")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("path", ["", DATASET, VERSIONS, "REMOVED.tsv", CARD, "README.md"])
def test_a_pipe_is_named_and_not_read(out, path):
    path = path or audio_files(out)[0].relative_to(out).as_posix()
    (out / path).unlink()
    os.mkfifo(out / path)
    assert f"{path}: is a pipe or a device; a release has files only" in verify(out).lines


@pytest.mark.usefixtures("in_time")
def test_sums_that_are_a_pipe_are_none(out):
    (out / "SHA256SUMS").unlink()
    os.mkfifo(out / "SHA256SUMS")
    os.mkfifo(out / "another")
    lines = verify(out).lines
    assert lines[0] == "SHA256SUMS: is missing or no text: the export did not finish, or the file was removed"
    assert "another: is not part of the release" in lines


@pytest.mark.parametrize("path", [DATASET, CARD])
def test_a_folder_in_the_place_of_a_file_is_named(out, path):
    (out / path).unlink()
    (out / path).mkdir()
    assert f"{path}: is missing" in verify(out).lines


@pytest.mark.parametrize(
    "card",
    [
        "[" * 200_000,
        '{"version": "1.0", "counts": {"versions": 1e999}, "removed": 0}',
        '{"version": "1.0", "counts": {"versions": 6}, "removed": -1e999}',
        '{"version": "1.0", "counts": {"versions": NaN}}',
        '{"version": "1.0", "counts": {"versions": ' + "9" * 5000 + "}}",
        "[]",
        "",
    ],
)
def test_a_hostile_card_is_a_fault(out, card):
    (out / CARD).write_text(card)
    mend_sum(out, CARD)
    assert f"{CARD}: is not the description of a release" in verify(out).lines


def test_names_that_are_no_text_can_be_printed(out):
    (out / os.fsdecode(b"metadata/\xff")).write_text("mine")
    (out / CARD).write_text('{"version": "\\ud800", "counts": {"versions": 6}, "removed": 0}')
    mend_sum(out, CARD)
    findings = verify(out)
    "\n".join([*findings.lines, findings.version]).encode()
    assert any(line.endswith("is not part of the release") for line in findings.lines)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a//b", "a/./b", "..\\secret", "C:/secret"])
def test_a_path_out_of_the_folder_is_not_opened(out, path):
    with (out / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  {path}\n")
    last = len((out / "SHA256SUMS").read_text().splitlines())
    (line,) = told_once(out)
    assert line.startswith(f"SHA256SUMS: line {last} is not a sum and the path of a file in the release")


def test_a_row_moved_to_another_split_is_named(out):
    def move(rows):
        row = row_of(rows, "humming")
        row["split"] = "test" if row["split"] != "test" else "train"

    rewrite(out, VERSIONS, move)
    lines = told_once(out)
    assert len(lines) == 2
    assert "is in split" in lines[0]
    assert "leaks over the splits" in lines[1]


def test_a_whole_song_moved_to_another_split_is_named(out):
    def move(rows):
        for row in rows:
            if row["group_id"] == rows[0]["group_id"]:
                row["split"] = "test" if row["split"] != "test" else "train"

    rewrite(out, VERSIONS, move)
    lines = told_once(out)
    assert len(lines) == 3
    assert all("belongs to" in line for line in lines)


def test_the_same_video_in_two_splits_is_a_leak():
    rows = [
        Row({"group_id": song, "youtube_id": "dQw4w9WgXcQ", "sha256": "", "singer": "", "split": split}, line)
        for line, (song, split) in enumerate([("a", "train"), ("b", "test")])
    ]
    told = []
    leaks(rows, lambda file, sentence: told.append(sentence))
    assert told == ["the video dQw4w9WgXcQ leaks over the splits test, train"]


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        (DATASET, "interval", "1.0-6.0", "it has to be two seconds such as [12.25, 19.0]"),
        (DATASET, "interval", "[1.0, 6.5]", "does not last 5.0 s"),
        (DATASET, "duration", "-5.0", "it has to be a number above 0"),
        (DATASET, "correlation", "1.5", "a number from 0 to 1, or nothing"),
        (DATASET, "correlation", "0.9", "of an original it is 1.0"),
        (DATASET, "is_available", "no", "one of True, False"),
        (DATASET, "audio_type", "singing", "one of original, cover, humming"),
        (DATASET, "id", "../../etc", "an id such as"),
        (DATASET, "group_id", "00000000-0000-0000-0000-000000000000", "group_id not as in"),
        (VERSIONS, "split", "dev", "one of train, validation, test"),
        (VERSIONS, "audio", "../secret.flac", "is not at its group, fragment and id"),
        (VERSIONS, "audio", "", "has to have audio, sha256 and sample_rate, or else why_no_audio"),
        (VERSIONS, "sha256", "0" * 64, "its sum is not the one in SHA256SUMS"),
        (VERSIONS, "why_no_audio", "lost", "one of not redistributable"),
        (VERSIONS, "sample_rate", "44100", "has 16000 Hz, its row says 44100"),
        (VERSIONS, "title", "", "text, and not nothing"),
        (VERSIONS, "tempo_ratio", "fast", "a number above 0, or nothing"),
    ],
)
def test_a_wrong_value_is_named(out, table, column, value, says):
    rewrite(out, table, lambda rows: row_of(rows, "original").update({column: value}))
    assert says in "\n".join(verify(out).lines)


def test_a_hum_with_a_correlation_and_a_cover_without_are_named(out):
    def swap(rows):
        row_of(rows, "humming")["correlation"], row_of(rows, "cover")["correlation"] = "0.5", ""

    rewrite(out, DATASET, swap)
    lines = "\n".join(verify(out).lines)
    assert "a hum has none" in lines
    assert "has no correlation" in lines


def test_an_id_that_stands_twice_is_named(out):
    rewrite(out, DATASET, lambda rows: rows.append(rows[-1]))
    assert any("the id of line 8" in line and "stands on line 7 too" in line for line in verify(out).lines)


def test_a_row_that_was_taken_out_is_named(out):
    for path in (DATASET, VERSIONS):
        rewrite(out, path, lambda rows: rows.remove(row_of(rows, "original")))
    lines = "\n".join(verify(out).lines)
    assert "has 0 originals; it has to have one" in lines
    assert "is named by no row of the tables" in lines
    assert "has 5 rows; the release was frozen with 6" in lines


def test_a_row_in_one_table_only_is_named(out):
    rewrite(out, VERSIONS, lambda rows: rows.remove(row_of(rows, "cover")))
    assert any("has no row of its own in metadata/versions.csv" in line for line in verify(out).lines)


def test_another_order_is_named(out):
    rewrite(out, VERSIONS, lambda rows: rows.reverse())
    assert told_once(out) == [f"{VERSIONS}: has its rows in another order than {DATASET}"]


def test_other_columns_are_named(out):
    text = (out / DATASET).read_text()
    (out / DATASET).write_text(text.replace("group_id", "song", 1))
    mend_sum(out, DATASET)
    assert any("has not the columns group_id, fragment_id" in line for line in verify(out).lines)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"", b'"group_id', b"a,b\n1\n"])
def test_a_table_that_is_none_is_named(out, data):
    (out / DATASET).write_bytes(data)
    assert [line for line in verify(out).lines if line.startswith(f"{DATASET}: ") and "was changed" not in line]


def test_audio_of_another_length_is_named(out):
    path = audio_files(out)[0]
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, samples[: len(samples) // 2], rate)
    relative = str(path.relative_to(out))
    mend_sum(out, relative)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(out, VERSIONS, lambda rows: [row.update(sha256=digest) for row in rows if row["audio"] == relative])
    (line,) = told_once(out)
    assert line.startswith(f"{relative}: lasts ")


def test_audio_that_is_none_is_named(out):
    path = audio_files(out)[0]
    path.write_bytes(b"fLaC but not really")
    relative = str(path.relative_to(out))
    mend_sum(out, relative)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(out, VERSIONS, lambda rows: [row.update(sha256=digest) for row in rows if row["audio"] == relative])
    assert any(line.startswith(f"{relative}: cannot be read as audio") for line in told_once(out))


def leave_out(out: Path, part: str, start: str) -> None:
    """Files of a part go, with what its sums say of them."""
    for path in out.glob(f"{start}*"):
        path.unlink()
    sums = out / part / "SHA256SUMS"
    kept = [line for line in sums.read_text().splitlines() if not line.split("  ", 1)[1].startswith(start)]
    sums.write_text("".join(f"{line}\n" for line in kept))


def test_a_side_without_shards_is_named(out):
    shard = next(path.relative_to(out).as_posix() for path in sorted(out.glob("data/hums/*.parquet")))
    side = shard.rpartition("-00000-")[0]
    leave_out(out, "data", side)
    assert [line.partition(", for ")[0] for line in verify(out).lines] == [f"{side}: there is no shard of it"]


def test_a_pitch_curve_that_is_left_out_is_named(out):
    curve = next(path.relative_to(out).as_posix() for path in sorted(out.glob("f0/*/*/*.csv")))
    leave_out(out, "f0", curve)
    assert verify(out).lines == [f"{curve}: is not in f0/SHA256SUMS, but in a row of {VERSIONS}"]


def test_another_md5_sum_in_the_index_is_named(out):
    path = "metadata/chad_index_1.0.json"
    index = json.loads((out / path).read_text())
    track = next(track for track in index["tracks"].values() if track["audio"][0])
    track["audio"][1] = "0" * 32
    (out / path).write_text(json.dumps(index))
    mend_sum(out, path)
    assert [line for line in verify(out).lines if f"its MD5 sum of {track['audio'][0]} is not that of the file" in line]
    assert len(verify(out).lines) == 1


def test_an_empty_text_is_named(out):
    (out / "LICENSE").write_bytes(b"")
    mend_sum(out, "LICENSE")
    assert verify(out).lines == ["LICENSE: is empty"]


def test_what_is_no_release_is_refused(tmp_path):
    with pytest.raises(ReleaseRefused, match="There is no folder"):
        verify(tmp_path / "nowhere")
    with pytest.raises(ReleaseRefused, match="is no release"):
        verify(tmp_path)


def run_command(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with a database that nobody can reach."""
    nowhere = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "CELERY_BROKER_URL": "redis://127.0.0.1:1"}
    return subprocess.run(
        [sys.executable, "manage.py", "verify_release", *arguments],
        cwd=django_settings.BASE_DIR,
        env=os.environ | nowhere | {"CHAD_HOME": str(home)},
        capture_output=True,
        text=True,
    )


def test_the_command_needs_no_database(out, tmp_path):
    done = run_command(str(out), home=tmp_path / "home")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith("Release 1.0 is in order: 6 versions of 2 fragments of 2 songs")


def test_the_command_names_faults_and_exits_with_1(out, capsys):
    (out / "foreign").write_text("")
    with pytest.raises(SystemExit) as exit_:
        call_command("verify_release", str(out), "--json")
    told = json.loads(capsys.readouterr().out)
    assert exit_.value.code == 1
    assert told["ok"] is False
    assert told["faults"] == [{"file": "foreign", "fault": "is not part of the release"}]


def test_the_command_refuses_bad_input_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        call_command("verify_release", str(tmp_path / "nowhere"), "--json")
    said = capsys.readouterr()
    assert (exit_.value.code, said.out) == (2, "")
    assert said.err == f"There is no folder {tmp_path / 'nowhere'}.\n"
