"""What an exported release holds, and that it stays what it is."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import subprocess
import threading
from ast import literal_eval
from pathlib import Path

import pytest
import soundfile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from recordings.models import CoverFragment, Humming, Recording, Release, ReleasedVersion
from recordings.release import ReleaseRefused, export, freeze, verify
from recordings.release.errors import sentence_of
from recordings.release.files.folder import only_writer
from recordings.splits import split_of
from recordings.tests import factories as make

pytestmark = pytest.mark.django_db

DATASET_COLUMNS = (
    "group_id,fragment_id,id,audio_type,youtube_id,interval,correlation,check_by_crowdsource,is_available,duration"
)


@pytest.fixture
def fragment():
    """A fragment of a song that may be given away, with two hums and two covers: one free, one a video."""
    song = make.make_song()
    original = make.make_recording(song, redistributable=True, licence="CC BY 4.0")
    fragment = make.make_fragment(original)
    make.make_humming(fragment, make.make_person("carol"))
    make.make_humming(fragment, make.make_person("dave"))
    free = make.make_recording(song, "cover", redistributable=True, licence="CC0", artist="The Free Band", hz=440)
    video = make.make_recording(song, "cover", youtube_id="dQw4w9WgXcQ", is_available=True, source="youtube", hz=550)
    make.make_cover_fragment(fragment, free, CoverFragment.State.MATCHED)
    make.make_cover_fragment(fragment, video, CoverFragment.State.ACCEPTED, correlation=0.41)
    return fragment


def table(out: Path, name: str = "dataset") -> list[dict[str, str]]:
    with (out / "metadata" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_layout_and_columns_are_chads_own(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    lines = (tmp_path / "out/metadata/dataset.csv").read_bytes().split(b"\n")
    assert lines[0].decode() == DATASET_COLUMNS
    assert lines[-1] == b""
    rows = table(tmp_path / "out")
    assert [row["audio_type"] for row in rows] == ["original", "cover", "cover", "humming", "humming"]
    for row in rows:
        start_s, end_s = literal_eval(row["interval"])
        assert isinstance(start_s, float)
        assert isinstance(end_s, float)
        assert end_s - start_s == pytest.approx(float(row["duration"]))
        assert {row["check_by_crowdsource"], row["is_available"]} <= {"True", "False"}
    place = f"{fragment.song.pk}/{fragment.pk}"
    assert (tmp_path / f"out/{place}/{fragment.pk}.flac").is_file()
    assert all((tmp_path / f"out/{place}/{hum.pk}.flac").is_file() for hum in fragment.hummings.all())


def test_published_download_script_finds_the_videos(fragment, tmp_path):
    """CHAD's script keeps rows with `is_available` and a youtube_id, and reads `interval` of those."""
    export(freeze("1.0"), tmp_path / "out")
    wanted = [row for row in table(tmp_path / "out") if row["is_available"] == "True" and row["youtube_id"]]
    assert [(row["youtube_id"], literal_eval(row["interval"])) for row in wanted] == [("dQw4w9WgXcQ", [2.0, 7.5])]


def test_the_most_trusted_latency_is_told_with_its_method(fragment, tmp_path):
    hum = fragment.hummings.first()
    for quantity, method, value, confidence in (
        ("latency_s", "curves", 0.31, 0.3),
        ("latency_s", "loopback", 0.084, 0.95),
        ("offset_s", "curves", 0.25, 0.8),
    ):
        hum.estimates.create(quantity=quantity, method=method, value=value, confidence=confidence)
    export(freeze("1.0"), tmp_path / "out")
    row = next(row for row in table(tmp_path / "out", "versions") if row["id"] == str(hum.pk))
    names = ("latency_s", "latency_method", "latency_confidence", "offset_confidence")
    assert [row[name] for name in names] == ["0.084", "loopback", "0.95", "0.8"]


def test_correlation_and_who_checked(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    said = {(r["audio_type"], r["correlation"], r["check_by_crowdsource"]) for r in table(tmp_path / "out")}
    assert said == {
        ("original", "1.0", "False"),
        ("cover", "0.8", "False"),
        ("cover", "0.41", "True"),
        ("humming", "", "True"),
    }


def test_second_table_tells_the_rest(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    rows = table(tmp_path / "out", "versions")
    assert [row["id"] for row in rows] == [row["id"] for row in table(tmp_path / "out")]
    assert {row["split"] for row in rows} == {split_of(fragment.song.pk)}
    hum = rows[-1]
    told = {name: hum[name] for name in ("offset_s", "tempo_ratio", "transposition", "similarity", "licence")}
    assert told == {
        "offset_s": "0.25",
        "tempo_ratio": "1.02",
        "transposition": "-12.0",
        "similarity": "0.91",
        "licence": "CC-BY-4.0",
    }
    assert (hum["latency_s"], hum["latency_method"], hum["latency_confidence"]) == ("", "", ""), "none is known"
    video = next(row for row in rows if row["why_no_audio"])
    assert video["why_no_audio"] == "not redistributable: get it by youtube_id and interval"
    assert (video["audio"], video["sha256"], video["checkpoint"]) == ("", "", "short-made")
    free = next(row for row in rows if row["performer"] == "The Free Band")
    assert hashlib.sha256((tmp_path / "out" / free["audio"]).read_bytes()).hexdigest() == free["sha256"]


def test_standard_tool_accepts_the_sums(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    out, named = tmp_path / "out", set()
    for sums in ("SHA256SUMS", "data/SHA256SUMS", "f0/SHA256SUMS"):
        done = subprocess.run(["sha256sum", "-c", "--strict", sums], cwd=out, capture_output=True)
        assert done.returncode == 0, done.stderr
        named |= {sums, *(line.split("  ", 1)[1] for line in (out / sums).read_text().splitlines())}
    assert named == contents(out).keys()


def test_hums_are_the_very_samples(fragment, tmp_path):
    samples = make.tone(5.0, 123.0, 48_000, bits=24)
    hum = make.make_humming(fragment, wav=make.audio_file(samples, 48_000, bits=24))
    export(freeze("1.0"), tmp_path / "out")
    path = tmp_path / f"out/{fragment.song.pk}/{fragment.pk}/{hum.pk}.flac"
    read, rate = soundfile.read(path, dtype="int32")
    assert rate == 48_000
    assert soundfile.info(path).subtype == "PCM_24"
    assert (read >> 8 == samples).all()


def test_originals_are_cut_from_their_recording(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    cut, rate = soundfile.read(tmp_path / f"out/{fragment.song.pk}/{fragment.pk}/{fragment.pk}.flac", dtype="int16")
    with fragment.recording.audio.open() as stored:
        full, _ = soundfile.read(stored, dtype="int16")
    assert (cut == full[round(fragment.start_s * rate) : round(fragment.end_s * rate)]).all()


def test_two_exports_are_the_same_bytes(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "one")
    export(freeze("1.0"), tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_release_stays_what_it_is_whatever_happens(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "before")
    hum = fragment.hummings.first()
    hum.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.")
    cover = fragment.cover_fragments.first()
    cover.move_to(CoverFragment.State.REJECTED, why="A second look.")
    make.make_humming(fragment)
    Recording.objects.update(redistributable=False, licence="", artist="Renamed")
    song = fragment.song
    song.title, song.taken_down_at = "Another title", timezone.now()
    song.save(update_fields=["title", "taken_down_at"])
    export(freeze("1.0"), tmp_path / "after")
    assert contents(tmp_path / "before") == contents(tmp_path / "after")


def test_the_next_release_leaves_out_what_was_withdrawn_or_taken_down(fragment, tmp_path):
    other = make.make_humming(make.make_fragment(make.make_recording(make.make_song("Ode to Joy", "Beethoven"))))
    freeze("1.0")
    withdrawn, kept = fragment.hummings.all()
    withdrawn.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.")
    taken_down = other.fragment.song
    taken_down.taken_down_at = timezone.now()
    taken_down.save(update_fields=["taken_down_at"])
    export(freeze("1.1"), tmp_path / "out")
    rows = table(tmp_path / "out")
    assert [row["id"] for row in rows if row["audio_type"] == "humming"] == [str(kept.pk)]
    assert {row["group_id"] for row in rows} == {str(fragment.song.pk)}


@pytest.mark.parametrize("state", ["saved", "checked", "refused", "rejected", "withdrawn"])
def test_only_double_checked_hums_are_released(fragment, state):
    hum = make.make_humming(fragment, state=state)
    assert not freeze("1.0").versions.filter(version_id=hum.pk).exists()


@pytest.mark.parametrize("state", ["doubtful", "rejected"])
def test_only_accepted_covers_are_released(fragment, state):
    cover = make.make_cover_fragment(fragment, state=state)
    assert not freeze("1.0").versions.filter(version_id=cover.pk).exists()


def test_a_fragment_without_versions_is_not_released(fragment):
    lonely = make.make_fragment(fragment.recording, 6.0, 11.0)
    assert not freeze("1.0").versions.filter(version_id=lonely.pk).exists()


def test_a_fragment_beyond_the_end_of_its_recording_is_cut_there(tmp_path):
    original = make.make_recording(seconds=5.9995, redistributable=True, licence="CC0")
    make.make_humming(make.make_fragment(original, 1.0, 6.0))
    export(freeze("1.0"), tmp_path / "out")
    assert table(tmp_path / "out")[0]["interval"] == "[1.0, 5.9995]"
    assert verify(tmp_path / "out").lines == []


def test_nothing_to_release_is_said(fragment):
    Humming.objects.update(state=Humming.State.CHECKED)
    CoverFragment.objects.update(state=CoverFragment.State.DOUBTFUL)
    with pytest.raises(ReleaseRefused, match="nothing to release"):
        freeze("1.0")
    assert not Release.objects.exists()


@pytest.mark.parametrize("version", ["1.0", "2026.11-rc1", "0", "1_2", "9" * 40])
def test_versions_that_are_names(fragment, version):
    assert freeze(version).version == version


@pytest.mark.parametrize(
    "version", [".", "..", "../1.0", "1/0", "1\\0", "1..0", "-1", "1.0 ", "1.0\n", "V1", "é", "9" * 41, "1\0"]
)
def test_versions_that_are_no_names(fragment, version):
    with pytest.raises(ReleaseRefused, match="cannot be a version"):
        freeze(version)


def test_who_names_no_version_is_told_what_one_looks_like(fragment):
    with pytest.raises(ReleaseRefused, match=r"Type a version, such as 2026.11: .*hyphens or underscores between\."):
        freeze("")


def test_pseudonyms_hold_within_a_release_and_change_with_it(fragment, tmp_path):
    carol = Humming.objects.get(singer__username="carol").singer
    second = make.make_fragment(fragment.recording, 6.0, 11.0)
    make.make_humming(second, carol)
    names = []
    for version in ("1.0", "1.1"):
        export(freeze(version), tmp_path / version)
        carols = set(Humming.objects.filter(singer=carol).values_list("pk", flat=True))
        rows = table(tmp_path / version, "versions")
        names.append({row["singer"] for row in rows if row["id"] in {str(pk) for pk in carols}})
        assert len({row["singer"] for row in rows if row["singer"]}) == 2
    assert len(names[0]) == len(names[1]) == 1
    assert names[0] != names[1]


def test_nothing_of_the_uploader_leaves(tmp_path):
    """Searches every byte of a release for what people and browsers told."""
    secrets = {
        "username": "mallory-login",
        "email": "mallory@home.example",
        "first_name": "Mallorina",
        "last_name": "Mallorson",
    }
    browser = {"context": {"userAgent": "SecretBrowser/9"}, "track_settings": {"label": "Mallory's Phone Mic"}}
    person = make.make_person(**secrets)
    wav = make.audio_file(make.tone(5.0), artist="Mallorina at home", comment="tape of Mallorson", software="HumKit 7")
    assert b"Mallorina" in wav
    original = make.make_recording(redistributable=True, licence="CC0")
    original.upload.save("mallorys-song.mp3", io.BytesIO(b"came from Mallory"), save=True)
    fragment = make.make_fragment(original)
    hum = make.make_humming(fragment, person, wav=wav, capture=browser)
    release = freeze("1.0")
    export(release, tmp_path / "out")
    files = contents(tmp_path / "out")
    assert f"{fragment.song.pk}/{fragment.pk}/{hum.pk}.flac" in files
    never = [
        *secrets.values(),
        "Mallor",
        "mallor",
        "SecretBrowser",
        "HumKit",
        "secret",
        release.settings["pseudonym_key"],
    ]
    found = {(path, text) for path, data in files.items() for text in never if text.encode() in data}
    assert found == set()


def test_a_killed_export_is_resumed(fragment, tmp_path):
    release = freeze("1.0")
    export(release, tmp_path / "whole")

    class Killed(BaseException):
        pass

    def killed_soon(share: float, message: str) -> None:
        if share > 0.4:
            raise Killed

    with pytest.raises(Killed):
        export(release, tmp_path / "out", killed_soon)
    assert not (tmp_path / "out/SHA256SUMS").exists()
    written = {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in contents(tmp_path / "out")}
    flacs = [path for path in written if path.endswith(".flac")]
    assert flacs
    export(release, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert all((tmp_path / "out" / path).stat().st_mtime_ns == written[path] for path in flacs)


def test_an_export_mends_a_damaged_folder(fragment, tmp_path):
    out = tmp_path / "out"
    export(freeze("1.0"), out)
    whole = contents(out)
    hum = fragment.hummings.first()
    (out / f"{fragment.song.pk}/{fragment.pk}/{hum.pk}.flac").write_bytes(b"damaged")
    (out / f"{fragment.song.pk}/{fragment.pk}/{fragment.pk}.flac.part").write_bytes(b"half")
    (out / f"{fragment.song.pk}/{fragment.pk}/{fragment.pk}.flac").unlink()
    (out / "metadata/versions.csv").unlink()
    export(freeze("1.0"), out)
    assert contents(out) == whole


def test_a_folder_with_other_things_is_left_alone(fragment, tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(ReleaseRefused, match="is not empty"):
        export(freeze("1.0"), tmp_path)
    assert (tmp_path / "letters.txt").read_text() == "mine"
    assert not (tmp_path / "metadata").exists()


def test_a_folder_with_another_release_is_left_alone(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(ReleaseRefused, match=r"holds another release, CHAD 1\.0"):
        export(freeze("1.1"), tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_two_exports_never_share_a_folder(fragment, tmp_path):
    release = freeze("1.0")
    with only_writer(tmp_path / "out"), pytest.raises(ReleaseRefused, match="Another export"):
        export(release, tmp_path / "out")
    export(release, tmp_path / "out")


def test_a_file_in_the_way_is_said(fragment, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(ReleaseRefused, match="in the way"):
            export(freeze("1.0"), out)


def test_a_full_disk_is_said(fragment, tmp_path, monkeypatch):
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("recordings.release.files.audio_files.write_whole", full)
    with pytest.raises(ReleaseRefused, match="is full"):
        export(freeze("1.0"), tmp_path / "out")


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.EACCES, "cannot be written"), (errno.EROFS, "cannot be written"), (errno.EIO, "cannot be used")],
)
def test_other_faults_of_a_disk_are_said(tmp_path, number, says):
    assert says in sentence_of(OSError(number, "what the system says", str(tmp_path)), tmp_path)


def test_a_take_that_is_gone_is_said(fragment, tmp_path):
    release = freeze("1.0")
    hum = fragment.hummings.first()
    default_storage.delete(hum.audio.name)
    with pytest.raises(ReleaseRefused, match=f"{hum.pk}, is not in the storage any more"):
        export(release, tmp_path / "out")


def test_a_recording_that_changed_is_said(fragment, tmp_path):
    release = freeze("1.0")
    make.put(fragment.recording.audio, "audio.flac", make.audio_file(make.tone(12, 99), kind="FLAC"))
    with pytest.raises(ReleaseRefused, match="not what it was when the release was frozen"):
        export(release, tmp_path / "out")


def test_another_encoder_is_noticed(fragment, tmp_path, monkeypatch):
    export(freeze("1.0"), tmp_path / "one")
    monkeypatch.setattr("recordings.release.files.audio.COMPRESSION", 0.0)
    with pytest.raises(ReleaseRefused, match="another FLAC encoder: the release was frozen with libsndfile"):
        export(freeze("1.0"), tmp_path / "two")


def test_a_take_with_the_id_of_a_fragment_is_said(fragment):
    hum = make.make_humming(fragment, id=fragment.pk)
    with pytest.raises(ReleaseRefused, match=f"same id.*{hum.pk}"):
        freeze("1.0")


def test_progress_goes_from_nothing_to_all(fragment, tmp_path):
    told = []
    export(freeze("1.0"), tmp_path / "out", lambda share, message: told.append((share, message)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], told[-1]) == (0.0, (1.0, "Done"))
    assert told[0][1] == "Audio 1 of 4"


@pytest.mark.django_db(transaction=True)
def test_two_people_freezing_one_version_get_one_release(fragment):
    found, start = [], threading.Barrier(2)

    def freeze_it() -> None:
        start.wait()
        try:
            found.append(freeze("1.0").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=freeze_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    assert ReleasedVersion.objects.count() == 5


def test_the_command_prints_json_alone(fragment, tmp_path, capsys):
    call_command("export_release", "1.0", "--out", str(tmp_path / "out"), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(tmp_path / "out")
    counts = {name: told[name] for name in ("version", "versions", "original", "cover", "humming", "with_audio")}
    assert counts == {"version": "1.0", "versions": 5, "original": 1, "cover": 2, "humming": 2, "with_audio": 4}


def test_the_command_refuses_bad_input_in_one_line(fragment, tmp_path, capsys):
    for arguments in (["../1", "--out", str(tmp_path / "new")], ["1.0", "--out", str(tmp_path / "storage")]):
        with pytest.raises(SystemExit) as exit_:
            call_command("export_release", *arguments, "--json")
        said = capsys.readouterr()
        assert exit_.value.code == 2
        assert said.out == ""
        assert len(said.err.splitlines()) == 1
