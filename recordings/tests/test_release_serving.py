"""Every file of a published release for anyone, and nothing else: parts, conditions, what left, and what was lost."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
from django.core.files.storage import default_storage
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone

from recordings.models import Fragment, Humming, Release, ReleasedVersion
from recordings.release import draft, publish, serving
from recordings.release.files.folder import files_of
from recordings.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def fragment(settings, tmp_path) -> Fragment:
    make.use_storage(settings, tmp_path / "storage")
    settings.CHAD_HOME = tmp_path
    return make.make_phrase()


@pytest.fixture
def folder(fragment, tmp_path) -> Path:
    """A release that is out, where this instance wrote it."""
    publish("1.0", tmp_path / "releases/1.0")
    return tmp_path / "releases/1.0"


@pytest.fixture
def hum(fragment) -> Humming:
    return fragment.hummings.first()


@pytest.fixture(autouse=True)
def archives_closed() -> Iterator[None]:
    yield
    serving.archive_of.cache_clear()


def ask(path: str, method: str = "GET", **headers: str) -> HttpResponseBase:
    return Client(headers=headers).generic(method, f"/releases/1.0/files/{path}")


def body(answer: HttpResponseBase) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def audio_of(hum: Humming) -> str:
    return ReleasedVersion.objects.get(version_id=hum.pk).audio


# --- every file


def test_every_file_is_given_as_it_was_published(folder):
    paths = files_of(folder)
    assert any(path.startswith("data/hums/") for path in paths)
    assert any(path.startswith("f0/") for path in paths)
    for path in paths:
        answer, data = ask(path), (folder / path).read_bytes()
        assert (answer.status_code, body(answer) == data) == (200, True), path
        assert answer["Content-Length"] == str(len(data))
        assert answer["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_without_the_folder_only_shards_are_missing(folder):
    paths = files_of(folder)
    for path in paths:
        (folder / path).unlink()
    missing = {path for path in paths if ask(path).status_code != 200}
    assert missing == {path for path in paths if path.startswith("data/") and path.endswith(".parquet")}
    answer = ask(min(missing))
    assert answer.status_code == 404
    assert "This shard is not kept here at present." in body(answer).decode()


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("README.md", "text/markdown; charset=utf-8", "public, max-age=31536000, immutable"),
        ("croissant.json", "application/ld+json", "public, max-age=31536000, immutable"),
        ("metadata/versions.csv", "text/csv; charset=utf-8", "public, max-age=31536000, immutable"),
        ("download.py", "text/plain; charset=utf-8", "public, max-age=31536000, immutable"),
        ("audio", "audio/flac", "public, no-cache"),
        ("curve", "text/csv; charset=utf-8", "public, no-cache"),
    ],
)
def test_each_kind_has_its_type_and_what_may_leave_is_asked_for_anew(folder, hum, path, kind, cache):
    audio = audio_of(hum)
    answer = ask({"audio": audio, "curve": f"f0/{Path(audio).with_suffix('.csv')}"}.get(path, path))
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, kind, cache)


# --- parts and conditions


@pytest.mark.parametrize(
    ("asked", "status", "first", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=100-", 206, 100, None),
        ("bytes=-7", 206, -7, None),
        ("bytes=5-999999999", 206, 5, None),
        ("bytes=0-", 200, 0, None),
        ("bytes=0-0,5-6", 200, 0, None),
        ("bytes=9-3", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
@pytest.mark.parametrize("path", ["metadata/versions.csv", "audio", "shard"])
def test_a_part_is_given(folder, hum, path, asked, status, first, end):
    shard = next(path for path in files_of(folder) if path.startswith("data/hums/") and path.endswith(".parquet"))
    path = {"audio": audio_of(hum), "shard": shard}.get(path, path)
    data = (folder / path).read_bytes()
    answer = ask(path, Range=asked)
    assert (answer.status_code, body(answer)) == (status, data[first:end])
    if status == 206:
        start = first % len(data)
        stop = start + len(data[first:end]) - 1
        assert answer["Content-Range"] == f"bytes {start}-{stop}/{len(data)}"
    assert answer["Content-Length"] == str(len(data[first:end]))


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_part_that_it_has_not_is_refused(folder, asked):
    answer = ask("README.md", Range=asked)
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{(folder / 'README.md').stat().st_size}"


def test_a_part_of_another_file_is_not_pieced_together(folder):
    etag = ask("README.md")["ETag"]
    assert ask("README.md", **{"Range": "bytes=5-", "If-Range": etag}).status_code == 206
    assert ask("README.md", **{"Range": "bytes=5-", "If-Range": '"another"'}).status_code == 200


def test_what_one_has_already_is_not_sent_again(folder, hum):
    for path in ("README.md", audio_of(hum)):
        etag = ask(path)["ETag"]
        for asked in (etag, f'"x", W/{etag}', "*"):
            answer = ask(path, **{"If-None-Match": asked})
            assert (answer.status_code, body(answer), answer["ETag"]) == (304, b"", etag)
        assert ask(path, **{"If-None-Match": '"x"'}).status_code == 200


def test_a_head_has_no_body(folder, hum):
    for path in ("README.md", audio_of(hum)):
        answer = ask(path, "HEAD")
        assert (answer.status_code, body(answer)) == (200, b"")
        assert answer["Content-Length"] == str((folder / path).stat().st_size)
    assert ask("README.md", "HEAD", Range="bytes=0-3")["Content-Length"] == "4"


def test_nothing_else_is_answered(folder):
    for method in ("POST", "PUT", "DELETE"):
        assert ask("README.md", method).status_code == 405


# --- no other path


@pytest.mark.parametrize(
    "path",
    [
        "../1.0/README.md",
        "../../secret.txt",
        "..%2f..%2fsecret.txt",
        "%2e%2e/%2e%2e/secret.txt",
        "data/../../../secret.txt",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "data/hums/..%2f..%2f..%2fsecret.txt",
        "data/hums/train-00000-of-00099.parquet",
        "data/hums/",
        "README.md/",
        "README.md%00",
        "readme.md",
        "SHA256SUMS.part",
        "f0/{id}/{id}/{id}.csv",
        "{id}/{id}/{id}.flac",
        "{id}/{id}/------------------------------------.flac",
        "{song}/{id}/{hum}.flac",
        "{song}/{fragment}/{hum}.wav",
        "bundle.zip",
        "",
    ],
)
def test_no_path_but_those_of_the_release_opens_anything(folder, hum, fragment, tmp_path, path):
    (tmp_path / "secret.txt").write_text("secret")
    no_such = "00000000-0000-4000-8000-000000000000"
    answer = ask(path.format(id=no_such, song=fragment.song.pk, fragment=fragment.pk, hum=hum.pk))
    assert answer.status_code == 404
    assert b"secret" not in body(answer)


def test_a_link_is_not_followed(folder, tmp_path):
    shard = next(folder.glob("data/hums/*.parquet"))
    elsewhere = tmp_path / "elsewhere.parquet"
    shard.rename(elsewhere)
    shard.symlink_to(elsewhere)
    path = shard.relative_to(folder).as_posix()
    assert ask(path).status_code == 404
    shard.unlink()
    os.mkfifo(shard)
    assert ask(path).status_code == 404
    shard.unlink()
    elsewhere.rename(shard)
    assert ask(path).status_code == 200
    (folder / "data").rename(tmp_path / "data")
    (folder / "data").symlink_to(tmp_path / "data")
    assert ask(path).status_code == 404


def test_a_shard_of_another_size_is_not_given(folder):
    shard = next(folder.glob("data/hums/*.parquet"))
    with shard.open("ab") as file:
        file.write(b"more")
    assert ask(shard.relative_to(folder).as_posix()).status_code == 404


def test_drafts_are_not_given(fragment, tmp_path):
    draft("1.0", tmp_path / "releases/1.0")
    answer = ask("README.md")
    assert answer.status_code == 404
    assert "There is no published release 1.0." in body(answer).decode()


# --- what left


def test_a_withdrawn_hum_is_not_given_any_more(folder, hum, fragment):
    audio, etag = audio_of(hum), ask(audio_of(hum))["ETag"]
    hum.move_to(Humming.State.WITHDRAWN, why="by its singer")
    curve = f"f0/{Path(audio).with_suffix('.csv')}"
    shards = [path.relative_to(folder).as_posix() for path in folder.glob("data/hums/*.parquet")]
    for path in (audio, curve, *shards):
        answer = ask(path, **{"If-None-Match": etag})
        assert answer.status_code == 410
        assert "withdrawn or taken down" in body(answer).decode()
    others = [path for path in files_of(folder) if path not in (audio, curve, *shards)]
    assert [path for path in others if ask(path).status_code != 200] == []


def test_only_the_shard_that_holds_it_leaves(fragment, settings, tmp_path):
    settings.RELEASE_SHARD_BYTES = 1
    for number in range(2):
        make.make_humming(fragment, make.make_person(f"singer{number}"), wav=make.tone_file(5.5, 100.0 + number, "WAV"))
    folder = tmp_path / "releases/1.0"
    publish("1.0", folder)
    shards = sorted(path.relative_to(folder).as_posix() for path in folder.glob("data/hums/*.parquet"))
    in_them = [pq.read_table(folder / path, columns=["id"])["id"].to_pylist() for path in shards]
    assert len(shards) == 4
    gone = Humming.objects.get(pk=in_them[1][0])
    gone.move_to(Humming.State.WITHDRAWN, why="by its singer")
    assert [ask(path).status_code for path in shards] == [200, 410, 200, 200]
    # As it is in releases of which the rows of each shard were not noted.
    release = Release.objects.get()
    for path in shards:
        del release.files[path]["rows"]
    held = serving.in_shard(release, shards[0])
    assert {str(version.version_id) for version in held} == {one for ids in in_them for one in ids}


def test_a_song_that_was_taken_down_is_not_given_any_more(folder, fragment):
    fragment.song.taken_down_at = timezone.now()
    fragment.song.save()
    gone = {path for path in files_of(folder) if ask(path).status_code == 410}
    core = {path for path in files_of(folder) if "/" not in path or path.startswith("metadata/")}
    assert gone == set(files_of(folder)) - core - {"data/SHA256SUMS", "f0/SHA256SUMS"}


def test_what_people_found_wrong_stays_in_the_release(folder, hum):
    hum.move_to(Humming.State.REJECTED, why="off in time")
    assert ask(audio_of(hum)).status_code == 200


# --- what was lost


def test_changed_audio_is_refused_and_said_in_the_log(folder, hum, caplog):
    name = hum.audio.name
    default_storage.delete(name)
    default_storage.save(name, io.BytesIO(make.tune_file(59)))
    answer = ask(audio_of(hum))
    assert answer.status_code == 500
    assert f"{name} in the storage was changed" in caplog.text
    assert name not in body(answer).decode()


def test_lost_audio_is_refused_and_said_in_the_log(folder, hum, caplog):
    default_storage.delete(hum.audio.name)
    assert ask(audio_of(hum)).status_code == 500
    assert "Put the file back from a backup." in caplog.text


def test_a_lost_archive_is_refused_and_said_in_the_log(folder, hum, caplog):
    release = Release.objects.get()
    release.bundle.storage.delete(release.bundle.name)
    assert ask("README.md").status_code == 500
    assert "Put it back from a backup" in caplog.text
    assert ask(audio_of(hum)).status_code == 200


# --- releases from before there were archives


def test_an_old_release_gives_its_tables_texts_and_audio(fragment, tmp_path):
    publish("0.9", tmp_path / "0.9")
    new = Release.objects.get()
    texts = {"README.md": "An old one.\n", "metadata/release.json": "{}\n"}
    old = Release.objects.create(version="1.0", settings={**new.settings, "texts": texts})
    for row in new.versions.order_by("pk"):
        row.pk, row.release = None, old
        row.save(force_insert=True)
    old.published_at = timezone.now()
    old.save()
    told = body(ask("SHA256SUMS")).decode()
    paths = [line.partition("  ")[2] for line in told.splitlines()]
    assert paths[:4] == ["README.md", "metadata/dataset.csv", "metadata/release.json", "metadata/versions.csv"]
    assert len(paths) == 4 + 3
    for line in told.splitlines():
        sha256, _, path = line.partition("  ")
        answer = ask(path)
        assert (answer.status_code, hashlib.sha256(body(answer)).hexdigest()) == (200, sha256), path
    assert body(ask("metadata/versions.csv")) == (tmp_path / "0.9/metadata/versions.csv").read_bytes()
    assert body(ask("metadata/versions.csv", Range="bytes=3-20")) == body(ask("metadata/versions.csv"))[3:21]
    assert ask("CHANGELOG.md").status_code == 404
    assert ask(next(path for path in files_of(tmp_path / "0.9") if path.startswith("f0/"))).status_code == 404


# --- audio


def test_audio_is_what_was_sung(folder, hum):
    heard, rate = soundfile.read(io.BytesIO(body(ask(audio_of(hum)))))
    with hum.audio.open() as file:
        sung, own_rate = soundfile.read(file)
    assert rate == own_rate
    assert (heard == sung).all()


def test_a_damaged_shard_is_not_given(folder):
    path = next(path for path in files_of(folder) if path.startswith("data/hums/") and path.endswith(".parquet"))
    assert ask(path).status_code == 200
    data = bytearray((folder / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(data)
    assert ask(path).status_code == 404
