"""The download script of a release, run alone as researchers run it, against a server on this machine."""

from __future__ import annotations

import ast
import csv
import errno
import hashlib
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from types import ModuleType

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
import yt_dlp
from hypothesis import given
from hypothesis import strategies as st

from recordings.release import shipped
from recordings.tests.local_videos import (
    RELEASE,
    VIDEOS,
    Fault,
    Site,
    Version,
    as_wav,
    encoded,
    lag_s,
    local_site,
    noise,
    release_files,
    version,
)

SCRIPT = Path(shipped.__file__).with_name("download.py")
BIG = np.random.default_rng(1).bytes(400_000)
HUMS = [
    version(1, "humming", "train", audio=b"one hum"),
    version(2, "humming", "test", audio=b"another hum"),
    version(3, "original", "train", audio=BIG),
]
QUICK = ("--wait", "0.01", "--pause", "0")


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as found:
        yield found


@pytest.fixture
def script(tmp_path) -> Path:
    """The script alone, in a folder that is no release."""
    place = tmp_path / "alone" / "download.py"
    place.parent.mkdir()
    shutil.copy(SCRIPT, place)
    return place


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "chad-9.9"


def serve(site: Site, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        site.has(RELEASE + path, data)


def write(out: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(data)


def command(script: Path, *arguments: object, python: tuple[str, ...] = (sys.executable,)) -> list[str]:
    return [*python, str(script), *QUICK, *map(str, arguments)]


def run(
    script: Path, *arguments: object, env: dict[str, str] | None = None, **more
) -> subprocess.CompletedProcess[str]:
    words = command(script, *arguments, **more)
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=env)


def begun(script: Path, *arguments: object) -> subprocess.Popen[str]:
    words = command(script, *arguments)
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=as_in_a_terminal
    )


def as_in_a_terminal() -> None:
    """Ctrl-C is not ignored, as it is where a shell began the tests in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in 10 s")


def held(out: Path) -> dict[str, bytes]:
    """All files of a folder but the lock."""
    paths = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, dialect="excel-tab"))


def reasons(out: Path) -> dict[str, str]:
    return {row["path"]: row["why"] for row in rows(out / "fetched/missing.tsv")}


# ------------------------------------------------------------------------------------------------------- the script


def test_it_is_one_file_for_python_3_9_with_nothing_of_the_project():
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"yt_dlp", "imageio_ffmpeg"}
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))
    # With this, `X | Y` in a signature is never evaluated; anywhere else only sets, flags and numbers have it.
    first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert first.module == "__future__"
    assert first.names[0].name == "annotations"
    assert "CC0" in SCRIPT.read_text().partition('"""')[0]


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chad_download", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


download = loaded()


# ------------------------------------------------------------------------------------------- files of the release


def test_a_whole_release_from_nothing_then_nothing_more(site, script, out):
    files = release_files(HUMS, {"data/hums/train-00000-of-00001.parquet": b"shard"})
    serve(site, files)
    done = run(script, "--from", site.address, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    core = {path: data for path, data in files.items() if not path.startswith(("data/", "f0/"))}
    assert held(out) == core
    site.asked.clear()
    assert run(script, "--out", out).returncode == 0
    assert site.asked == []


def test_the_script_in_a_release_mends_it_from_the_address_that_the_release_names(site, out):
    card = f'{{"dataset": "CHAD", "version": "9.9", "address": "{site.address}"}}\n'.encode()
    files = release_files(HUMS, {"metadata/release.json": card, "download.py": SCRIPT.read_bytes()})
    serve(site, files)
    write(out, {path: data for path, data in files.items() if path != HUMS[1].place} | {HUMS[0].place: b"flipped"})
    done = run(out / "download.py")
    assert done.returncode == 0, done.stdout
    assert held(out) == files
    assert {request.path for request in site.asked} == {
        RELEASE + path for path in (HUMS[0].place, HUMS[1].place, "SHA256SUMS")
    }


def test_what_may_work_later_is_tried_again_and_what_is_gone_is_not(site, script, out):
    hums = [version(n, "humming", audio=f"hum {n}".encode()) for n in range(6)] + [version(9, "humming", audio=BIG)]
    serve(site, release_files(hums))
    away, slow, gone, other, always, wrong_once, broken = (RELEASE + hum.place for hum in hums)
    site.fails(away, *[Fault(503)] * 2)
    site.fails(slow, Fault(429, {"Retry-After": "1"}))
    site.fails(gone, *[Fault(410)] * 9)
    site.fails(other, *[Fault(500)] * 9)
    site.fails(always, *[Fault(data=b"something else")] * 9)
    site.fails(wrong_once, Fault(data=b"something else"))
    site.fails(broken, Fault(breaks_off_after=150_000))
    done = run(script, "--from", site.address, "--out", out, "--tries", 4, "--jobs", 3)
    assert done.returncode == 1
    assert reasons(out).keys() == {hums[2].place, hums[3].place, hums[4].place}
    assert "gone: 410" in reasons(out)[hums[2].place]
    assert "500" in reasons(out)[hums[3].place]
    assert "is something else" in reasons(out)[hums[4].place]
    assert all(path in done.stdout and why in done.stdout for path, why in reasons(out).items())
    for hum in (hums[0], hums[1], hums[5], hums[6]):
        assert (out / hum.place).read_bytes() == hum.audio
    assert [len(site.asked_for(path)) for path in (away, slow, gone, other, always, wrong_once)] == [3, 2, 1, 4, 3, 2]
    first, second = site.asked_for(slow)
    assert second.at - first.at >= 1.0
    assert [request.range for request in site.asked_for(broken)] == ["", "bytes=150000-"]
    assert not list(out.rglob("*.part"))
    # All is well at the site again.
    site.faults.clear()
    assert run(script, "--from", site.address, "--out", out).returncode == 0
    assert not (out / "fetched/missing.tsv").exists()


def test_a_killed_run_is_resumed_and_two_runs_at_once_are_refused(site, script, out):
    serve(site, release_files(HUMS))
    never = threading.Event()
    site.fails(RELEASE + HUMS[2].place, Fault(breaks_off_after=300_000, holds=never))
    first = begun(script, "--from", site.address, "--out", out)
    part = out / (HUMS[2].place + ".part")
    wait_for(lambda: part.exists() and part.stat().st_size > 200_000)
    refused = run(script, "--from", site.address, "--out", out)
    assert refused.returncode == 2
    assert "Another download writes to" in refused.stderr
    first.kill()
    first.communicate()
    half = part.stat().st_size
    assert not (out / HUMS[2].place).exists()
    assert run(script, "--from", site.address, "--out", out).returncode == 0
    never.set()
    assert site.asked_for(RELEASE + HUMS[2].place)[-1].range == f"bytes={half}-"
    assert (out / HUMS[2].place).read_bytes() == BIG


def test_a_half_file_of_something_else_is_thrown_away(site, script, out):
    files = release_files(HUMS)
    serve(site, files)
    del files[HUMS[2].place], files[HUMS[0].place]
    write(out, files | {HUMS[2].place + ".part": b"half of something else", HUMS[0].place + ".part": HUMS[0].audio})
    assert run(script, "--from", site.address, "--out", out).returncode == 0
    assert held(out) == release_files(HUMS)
    assert [request.range for request in site.asked_for(RELEASE + HUMS[2].place)] == ["bytes=22-", ""]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_ends_cleanly_and_says_how_to_go_on(site, script, out, how):
    serve(site, release_files(HUMS))
    never = threading.Event()
    site.fails(RELEASE + HUMS[2].place, Fault(breaks_off_after=300_000, holds=never))
    running = begun(script, "--from", site.address, "--out", out, "--jobs", 1)
    wait_for(lambda: (out / (HUMS[2].place + ".part")).exists())
    running.send_signal(how)
    time.sleep(0.3)
    never.set()
    said, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "Traceback" not in said
    assert "goes on where it was" in said
    assert reasons(out)[HUMS[2].place] == "the run was stopped before"
    assert run(script, "--from", site.address, "--out", out).returncode == 0


EVIL = [
    "../evil",
    "/tmp/evil",
    "a/../../evil",
    "a//evil",
    "..\\evil",
    "C:/evil",
    "fetched/evil",
    "~/evil",
    "a/evil.",
    "data/evil",
]


def test_no_path_of_a_list_leaves_the_folder(site, script, out, tmp_path):
    files = release_files(HUMS)
    lines = "".join(f"{hashlib.sha256(b'evil').hexdigest()}  {path}\n" for path in EVIL)
    files["SHA256SUMS"] += lines.encode() + b"words\n"
    serve(site, files)
    for path in EVIL:
        site.has(RELEASE + path, b"evil")
    before = set(tmp_path.rglob("*"))
    done = run(script, "--from", site.address, "--out", out)
    assert done.returncode == 1
    made = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(out) for path in made)
    assert not [path for path in made if "evil" in path.name]
    assert not [request for request in site.asked if "evil" in request.path]
    assert set(EVIL) < reasons(out).keys()
    assert len(reasons(out)) == len(EVIL) + 1


def test_a_link_in_the_folder_is_not_followed(site, script, out, tmp_path):
    files = release_files(HUMS)
    serve(site, files)
    write(out, {"SHA256SUMS": files["SHA256SUMS"], "metadata/release.json": files["metadata/release.json"]})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / HUMS[0].group_id).symlink_to(elsewhere)
    (out / "README.md.part").symlink_to(elsewhere / "note")
    done = run(script, "--from", site.address, "--out", out)
    assert done.returncode == 1
    assert list(elsewhere.iterdir()) == []
    assert all("is a link" in why for why in reasons(out).values())
    assert reasons(out).keys() == {"README.md", *(hum.place for hum in HUMS)}


@given(st.text(st.sampled_from("ab./\\:~ \x00-_é"), max_size=12) | st.text(max_size=12))
def test_a_safe_path_stays_inside(path):
    if download.is_safe(path):
        steps = path.split("/")
        assert not {"", ".", ".."} & set(steps)
        assert path.isascii()
        assert path.isprintable()
        assert not set(path) & set("\\:~ ")
        assert os.path.normpath(path) == path


def test_parts_are_fetched_where_they_are_asked_for_and_splits_and_types_choose(site, script, out):
    more = {
        "data/hums/train-00000-of-00001.parquet": b"a shard",
        "data/hums/test-00000-of-00001.parquet": b"another",
        "data/originals/train-00000-of-00001.parquet": b"a third",
        f"f0/{HUMS[0].place[:-4]}csv": b"0.0,220.0\n",
        f"f0/{HUMS[1].place[:-4]}csv": b"0.0,330.0\n",
    }
    files = release_files(HUMS, more)
    serve(site, files)
    chosen = ("--split", "train", "--type", "humming", "--part", "data", "--part", "f0")
    done = run(script, "--from", site.address, "--out", out, *chosen)
    assert done.returncode == 0, done.stdout
    left_out = {HUMS[1].place, HUMS[2].place, *list(more)[1:3], list(more)[4]}
    assert held(out) == {path: data for path, data in files.items() if path not in left_out}
    everything = run(script, "--from", site.address, "--out", out, "--part", "data", "--part", "f0")
    assert everything.returncode == 0
    assert held(out) == files


def test_an_address_with_another_release_is_refused(site, script, out):
    serve(site, release_files(HUMS))
    write(out, {path: data for path, data in release_files(HUMS[:1]).items() if path != "README.md"})
    done = run(script, "--from", site.address, "--out", out)
    assert done.returncode == 2
    assert "another release" in done.stderr


def test_an_address_that_is_named_is_compared_even_where_nothing_is_missing(site, script, out):
    serve(site, release_files(HUMS))
    write(out, release_files(HUMS[:1]))
    done = run(script, "--from", site.address, "--out", out)
    assert done.returncode == 2
    assert "another release" in done.stderr


def test_an_address_without_a_release_is_bad_input(site, script, out):
    serve(site, release_files(HUMS))
    done = run(script, "--from", f"{site.address}9", "--out", out)
    assert done.returncode == 2
    assert "There is no release at" in done.stderr
    assert run(script, "--from", site.address, "--out", out).returncode == 0, "the right one may follow"


def test_a_release_without_an_address_says_what_it_lacks(script, out):
    files = release_files(HUMS)
    write(out, {path: data for path, data in files.items() if path not in (HUMS[0].place, "README.md")})
    done = run(script, "--out", out)
    assert done.returncode == 1
    assert reasons(out).keys() == {HUMS[0].place, "README.md"}
    assert "--from" in done.stdout


def test_a_site_that_is_away_is_not_asked_for_ever(site, script, out):
    hums = [version(n, "humming", audio=f"hum {n}".encode()) for n in range(40)]
    files = release_files(hums)
    serve(site, files)
    for hum in hums:
        site.fails(RELEASE + hum.place, *[Fault(503)] * 9)
    done = run(script, "--from", site.address, "--out", out, "--tries", 1, "--jobs", 1)
    assert done.returncode == 1
    assert len([request for request in site.asked if request.path.endswith(".flac")]) == download.GIVE_UP_AFTER
    assert len(reasons(out)) == 40
    assert len(done.stdout.splitlines()) < 100


def test_a_site_that_wants_a_long_break_gets_it(site, script, out):
    serve(site, release_files(HUMS))
    later = Fault(503, {"Retry-After": formatdate(time.time() + 7200, usegmt=True)})
    for hum in HUMS:
        site.fails(RELEASE + hum.place, *[later] * 9)
    done = run(script, "--from", site.address, "--out", out, "--jobs", 1)
    assert done.returncode == 1
    assert len([request for request in site.asked if request.path.endswith(".flac")]) == 1
    assert sum("left alone" in why for why in reasons(out).values()) == 2


def test_a_full_disk_stops_it_politely(site, out, capsys, monkeypatch):
    files = release_files(HUMS)
    serve(site, files)
    copy = download.Address._copy

    class Full(io.BytesIO):
        def write(self, block):
            raise OSError(errno.ENOSPC, "No space left on device")

    def onto_a_full_disk(self, response, to, *limit):
        copy(self, response, Full() if HUMS[2].id in to.name else to, *limit)

    monkeypatch.setattr(download.Address, "_copy", onto_a_full_disk)
    status = download.main([*QUICK, "--from", site.address, "--out", str(out), "--jobs", "1"])
    said = capsys.readouterr().out
    assert status == 1
    assert "The disk is full. Make room, then start again" in said
    assert "the disk is full" in reasons(out)[HUMS[2].place]
    monkeypatch.undo()
    assert download.main([*QUICK, "--from", site.address, "--out", str(out)]) == 0


def test_a_list_without_an_end_is_not_taken(site, out, capsys, monkeypatch):
    serve(site, release_files(HUMS))
    monkeypatch.setattr(download, "LONGEST_LIST", 100)
    assert download.main([*QUICK, "--from", site.address, "--out", str(out)]) != 0
    assert "larger than 100 bytes" in capsys.readouterr().out
    assert not (out / "SHA256SUMS").exists()


def test_words_of_a_site_neither_steer_a_terminal_nor_break_the_table():
    assert download.plain("a\tb\nc\x1b[31md") == "a b c [31md"
    assert len(download.plain("long " * 1000)) == download.LONGEST_REASON


@given(st.floats(0, 10**8), st.booleans())
def test_retry_after_is_a_number_or_a_date(seconds, as_date):
    whole = int(seconds)
    said = formatdate(time.time() + whole, usegmt=True) if as_date else str(whole)
    assert download.wait_of({"Retry-After": said}) == pytest.approx(whole, abs=2)


@pytest.mark.parametrize("said", ["", "soon", "-3", "Wed, 99 Foo"])
def test_a_retry_after_that_says_nothing_is_no_wait(said):
    assert download.wait_of({"Retry-After": said}) == 0.0


# ---------------------------------------------------------------------------------------------------------- dry run


def test_a_dry_run_says_what_it_would_fetch_and_fetches_nothing(site, script, out):
    clips = [
        version(11, "original", "test", youtube_id="video-aaaaa", interval="[1.0, 2.5]"),
        version(12, "cover", "train", youtube_id="video-aaaaa", interval="[3.0, 4.0]"),
        version(13, "cover", "train", youtube_id="video-bbbbb"),
        version(14, "cover", "train"),
    ]
    serve(site, release_files([*HUMS, *clips]))
    done = run(script, "--from", site.address, "--out", out, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not out.exists()
    assert "Would fetch 7 files, 3 clips, 2 videos." in done.stdout
    assert "video-aaaaa [1.0, 2.5]" in done.stdout
    assert "1 version without audio and video" in done.stdout
    assert not [request for request in site.asked if request.path.endswith(".flac") or VIDEOS in request.path]
    write(out, release_files([*HUMS, *clips]))
    before = held(out)
    site.asked.clear()
    for chosen, clips_and_videos in {
        ("--split", "train"): "2 clips, 2 videos",
        ("--split", "train", "--split", "test", "--type", "original"): "1 clip, 1 video",
        ("--split", "validation"): "Nothing would be fetched",
        ("--type", "humming"): "Nothing would be fetched",
    }.items():
        assert clips_and_videos in run(script, "--out", out, "--dry-run", *chosen).stdout
    assert (held(out), site.asked) == (before, [])
    assert not (out / "fetched").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "{tmp}/alone", "--from", "http://127.0.0.1:1/"], "is not empty, and what is in it is no release"),
        (["--out", "{tmp}/new"], "Say with --from where to get it"),
        ([], "Say with --out where"),
        (["--from", "file:///etc/passwd"], "https://"),
        (["--video-url", "http://127.0.0.1/"], "{id}"),
        (["--jobs", "0"], "whole number"),
        (["--split", "all"], "invalid choice"),
    ],
)
def test_bad_input_is_said_in_a_sentence(script, tmp_path, words, sentence):
    done = run(script, *(word.replace("{tmp}", str(tmp_path)) for word in words))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


# ----------------------------------------------------------------------------------------------------------- videos

RATE = 44_100
STEREO = noise(4.0, RATE, 2, seed=1)
MONO = noise(4.0, 48_000, 1, seed=2)
WAV, M4A, WEBM, LATE = "-wav-video-", "m4avideo000", "webmvideo00", "latevideo00"
GONE, SHORT, WORDS, DIES = "gonevideo00", "shortvideo0", "wordsvideo0", "diesvideo00"
CLIPS = {
    "wav": version(21, "original", youtube_id=WAV, interval="[0.512345, 2.000001]"),
    "wav again": version(22, "cover", youtube_id=WAV, interval="[1.75, 3.999]"),
    "m4a": version(23, "cover", youtube_id=M4A, interval="[1.2345, 2.7]"),
    "webm": version(24, "cover", youtube_id=WEBM, interval="[0.7, 1.9]"),
    "gone": version(25, "cover", youtube_id=GONE),
    "late": version(26, "cover", youtube_id=LATE),
    "short": version(27, "cover", youtube_id=SHORT, interval="[0.5, 1.5]"),
    "words": version(28, "cover", youtube_id=WORDS),
    "dies": version(29, "cover", youtube_id=DIES),
    "odd id": version(30, "cover", youtube_id="../../../../x"),
    "odd interval": version(31, "cover", youtube_id=WAV, interval="[2.0, 1.0]"),
}
FAILING = ("gone", "short", "words", "dies", "odd id", "odd interval")


def serve_videos(site: Site) -> None:
    wav = as_wav(STEREO, RATE)
    site.has(VIDEOS + WAV, wav, "audio/wav")
    site.has(VIDEOS + M4A, encoded(MONO, 48_000, "mp4", "aac"), "audio/mp4")
    site.has(VIDEOS + WEBM, encoded(MONO, 48_000, "webm", "libopus"), "audio/webm")
    site.has(VIDEOS + LATE, wav, "audio/wav")
    site.fails(VIDEOS + LATE, Fault(503))
    site.has(VIDEOS + SHORT, as_wav(STEREO[: RATE * 1], RATE), "audio/wav")
    site.has(VIDEOS + WORDS, b"these are only words" * 500, "audio/wav")
    site.has(VIDEOS + DIES, wav, "audio/wav")


@pytest.fixture
def with_ffmpeg(tmp_path) -> dict[str, str]:
    """An environment with an ffmpeg that is killed while it cuts one of the videos."""
    folder = tmp_path / "bin"
    folder.mkdir()
    ffmpeg = folder / "ffmpeg"
    ffmpeg.write_text(
        f'#!/bin/sh\ncase "$*" in *{DIES}*) [ -e "{folder}/healed" ] || kill -9 $$;; esac\n'
        f'exec "{imageio_ffmpeg.get_ffmpeg_exe()}" "$@"\n'
    )
    ffmpeg.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def cut_of(out: Path, clip: Version) -> tuple[np.ndarray, int]:
    return soundfile.read(out / "fetched" / clip.place, dtype="int16", always_2d=True)


def test_videos_are_fetched_once_cut_to_the_millisecond_noted_and_kept(site, script, out, tmp_path, with_ffmpeg):
    serve_videos(site)
    write(out, release_files(CLIPS.values()))
    words = ("--out", out, "--video-url", site.video_url, "--jobs", 3)
    done = run(script, *words, env=with_ffmpeg)
    assert done.returncode == 1, done.stderr
    good = [name for name in CLIPS if name not in FAILING]

    samples, rate = cut_of(out, CLIPS["wav"])
    assert rate == RATE
    np.testing.assert_array_equal(samples, STEREO[round(0.512345 * RATE) : round(2.000001 * RATE)])
    samples, rate = cut_of(out, CLIPS["wav again"])
    np.testing.assert_array_equal(samples, STEREO[round(1.75 * RATE) : round(3.999 * RATE)])
    for name, start_s, end_s in (("m4a", 1.2345, 2.7), ("webm", 0.7, 1.9)):
        samples, rate = cut_of(out, CLIPS[name])
        assert rate == 48_000
        assert len(samples) / rate == pytest.approx(end_s - start_s, abs=0.0005)
        assert lag_s(samples[:, 0] / 2**15, MONO[:, 0] / 2**15, rate) == pytest.approx(start_s, abs=0.0005)

    why = {name: reasons(out)["fetched/" + clip.place] for name, clip in CLIPS.items() if name in FAILING}
    assert reasons(out).keys() == {"fetched/" + CLIPS[name].place for name in FAILING}
    assert "gone" in why["gone"]
    assert "0.500 s of the interval's 1.000 s" in why["short"]
    assert "signal 9" in why["dies"]
    assert "youtube_id" in why["odd id"]
    assert "interval" in why["odd interval"]
    assert all(reason in done.stdout for reason in why.values())
    assert len(site.asked_for(VIDEOS + GONE)) == 1
    # A second clip costs no second download.
    assert len(site.asked_for(VIDEOS + WAV)) == len(site.asked_for(VIDEOS + M4A))

    notes = {row["path"]: row for row in rows(out / "fetched/fetched.tsv")}
    assert notes.keys() == {"fetched/" + CLIPS[name].place for name in good}
    for name in good:
        note = notes["fetched/" + CLIPS[name].place]
        data = (out / note["path"]).read_bytes()
        assert note["sha256"] == hashlib.sha256(data).hexdigest()
        assert (note["youtube_id"], note["interval"]) == (CLIPS[name].youtube_id, CLIPS[name].interval)
    assert "48000" in notes["fetched/" + CLIPS["m4a"].place]["sample_rate"]
    assert "m4a" in notes["fetched/" + CLIPS["m4a"].place]["format"]
    # Only what the next run can use is kept of the videos.
    assert {path.stem for path in (out / "fetched/videos").iterdir()} == {DIES}

    # Again: what is there and right is kept, what was changed is fetched, a kept video is not.
    (tmp_path / "bin" / "healed").touch()
    (out / "fetched" / CLIPS["wav"].place).write_bytes(b"changed")
    with (out / "fetched/fetched.tsv").open("a") as file:
        file.write("half a li")
    site.asked.clear()
    again = run(script, *words, "--keep-videos", env=with_ffmpeg)
    assert again.returncode == 1
    asked = {request.path.removeprefix(VIDEOS) for request in site.asked}
    assert asked == {WAV, GONE, SHORT, WORDS}
    assert {name for name in CLIPS if "fetched/" + CLIPS[name].place in reasons(out)} == {*FAILING} - {"dies"}
    assert len(rows(out / "fetched/fetched.tsv")) == len(good) + 1
    samples, _ = cut_of(out, CLIPS["wav"])
    np.testing.assert_array_equal(samples, STEREO[round(0.512345 * RATE) : round(2.000001 * RATE)])
    assert (out / f"fetched/videos/{WAV}.wav").read_bytes() == as_wav(STEREO, RATE)
    assert not list(out.rglob("*.part"))


def test_a_run_that_is_killed_within_a_video_goes_on(site, script, out, with_ffmpeg):
    clips = [CLIPS["wav"], CLIPS["late"]]
    serve_videos(site)
    site.fails(VIDEOS + LATE)
    half_a_line = "\t".join(download.NOTE_COLUMNS).encode() + b"\nhalf a li"
    write(out, release_files(clips) | {"fetched/fetched.tsv": half_a_line})
    never = threading.Event()
    words = ("--out", out, "--video-url", site.video_url, "--jobs", 1)
    # The first request looks what it is, the second fetches it.
    site.fails(VIDEOS + LATE, Fault(), Fault(breaks_off_after=200_000, holds=never))
    running = subprocess.Popen(command(script, *words), stdout=subprocess.DEVNULL, env=with_ffmpeg)
    wait_for(lambda: len(site.asked_for(VIDEOS + LATE)) == 2)
    wait_for(lambda: list((out / "fetched/videos").glob("*.part")))
    running.kill()
    running.wait()
    site.asked.clear()
    done = run(script, *words, env=with_ffmpeg)
    never.set()
    assert done.returncode == 0, done.stdout
    assert {request.path for request in site.asked} == {VIDEOS + LATE}
    assert {row["path"] for row in rows(out / "fetched/fetched.tsv")} == {"fetched/" + clip.place for clip in clips}
    samples, _ = cut_of(out, CLIPS["late"])
    np.testing.assert_array_equal(samples, STEREO[:RATE])
    assert not (out / "fetched/missing.tsv").exists()


@pytest.mark.parametrize(
    ("said", "tries"),
    [
        ("[youtube] abcdefghijk: Video unavailable. This video has been removed by the uploader", 1),
        ("[youtube] abcdefghijk: Private video. Sign in if you've been granted access to this video", 1),
        ("[youtube] abcdefghijk: Sign in to confirm you’re not a bot. Video unavailable", sys.maxsize),
        (
            "[generic] Unable to download webpage: The read timed out (caused by TransportError())",
            sys.maxsize,
        ),
    ],
)
def test_a_video_that_is_gone_is_told_from_a_site_that_doubts_us(said, tries):
    problem = download.in_video_words(yt_dlp.utils.DownloadError(f"ERROR: {said}"))
    assert problem.most_tries == tries
    assert "ERROR" not in str(problem)
    assert "caused by" not in str(problem)


def test_a_disk_that_is_full_for_yt_dlp_is_full():
    problem = yt_dlp.utils.DownloadError("ERROR: unable to write data")
    problem.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(download.in_video_words(problem), download.DiskFull)


def test_without_yt_dlp_the_files_come_and_a_sentence_says_how_to_get_it(site, script, out):
    files = release_files([*HUMS, CLIPS["wav"]])
    serve(site, files)
    done = run(script, "--from", site.address, "--out", out, python=(sys.executable, "-S"))
    assert done.returncode == 1
    assert files.items() <= held(out).items()
    assert "python -m pip install yt-dlp" in reasons(out)["fetched/" + CLIPS["wav"].place]
