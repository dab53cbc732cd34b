"""Drafts, their checks, and that a published release never changes: the database itself refuses it."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from recordings.models import CoverFragment, Fragment, Humming, Release
from recordings.release import ReleaseRefused, discard, draft, export, freeze, publish, verify
from recordings.release.frozen.changes import in_words
from recordings.release.layout import SUMS
from recordings.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def fragment() -> Fragment:
    """A fragment that may be given away, with two hums and a cover."""
    fragment = make.make_phrase()
    cover = make.make_recording(fragment.song, "cover", redistributable=True, licence="CC0", hz=440)
    make.make_cover_fragment(fragment, cover)
    return fragment


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def states(checks: list[dict]) -> dict[str, str]:
    return {check["name"]: check["state"] for check in checks}


# --- drafts


def test_a_draft_is_checked_and_out_to_nobody(fragment, tmp_path):
    checks = draft("1.0", tmp_path / "out")
    release = Release.objects.get()
    assert not release.is_published
    assert release.may_be_published
    assert not (tmp_path / "out" / SUMS).exists()
    assert [check.as_json() for check in checks] == release.checks
    said = states(release.checks)
    assert {"up to date", "files", "tables", "leaks", "privacy", "licences"} <= said.keys()
    assert "stops" not in said.values()
    assert said["notes"] == "mind"
    assert release.unticked(["notes", "address"]) == []
    assert release.unticked([]) == ["address", "notes"]


def test_a_draft_shows_what_is_in_it_and_what_changed(fragment, tmp_path):
    draft("1.0", tmp_path / "out")
    facts = Release.objects.get().facts
    assert facts["counts"]["humming"] == 2
    assert sum(facts["statistics"]["durations"]["humming"]) == 2
    assert facts["statistics"]["hums_per_fragment"] == {"2": 1}
    assert facts["statistics"]["splits"][fragment.song.split]["cover"] == 1
    assert facts["changes"]["against"] is None
    assert in_words(facts["changes"]) == ["New: 1 covers, 2 hums, 1 originals; 1 new fragments, 1 new songs."]


def test_the_next_release_says_what_it_changes(fragment, tmp_path):
    publish("1.0", tmp_path / "1.0")
    gone, wrong = fragment.hummings.all()
    gone.move_to(Humming.State.WITHDRAWN, why="by its singer")
    wrong.move_to(Humming.State.REJECTED, why="off in time")
    CoverFragment.objects.update(correlation=0.9)
    new = make.make_humming(fragment, make.make_person("erin"))
    changes = freeze("1.1").facts["changes"]
    assert changes["against"] == "1.0"
    assert changes["added"] == {"humming": 1}
    assert (changes["songs_added"], changes["fragments_added"]) == (0, 0)
    assert changes["removed"] == {"withdrawn": 1, "taken down": 0, "found wrong": 1, "other": 0}
    assert changes["changed"] == 1, "the cover's correlation; a new pseudonym is no change"
    assert {one["version_id"]: one["why"] for one in changes["listed"]} == {
        str(gone.pk): "withdrawn",
        str(wrong.pk): "found wrong",
    }
    assert str(new.pk) not in str(changes)


def test_a_draft_made_anew_keeps_the_admins_words(fragment, tmp_path):
    draft("1.0", tmp_path / "out")
    Release.objects.update(notes="The first one.")
    make.make_humming(fragment, make.make_person("erin"))
    draft("1.0", tmp_path / "out")
    release = Release.objects.get()
    assert release.notes == "The first one."
    assert release.facts["counts"]["humming"] == 3
    publish("1.0", tmp_path / "out")
    assert "The first one." in (tmp_path / "out/CHANGELOG.md").read_text()


def test_a_draft_from_before_another_release_is_frozen_anew_first(fragment, tmp_path):
    freeze("1.1")
    publish("1.0", tmp_path / "1.0")
    with pytest.raises(ReleaseRefused, match=r"Release 1\.0 was published since it was frozen"):
        publish("1.1", tmp_path / "1.1")
    draft("1.1", tmp_path / "1.1")
    publish("1.1", tmp_path / "1.1")
    assert Release.objects.get(version="1.1").facts["changes"]["against"] == "1.0"


def test_audio_without_a_licence_stops_the_publication(fragment, tmp_path):
    fragment.recording.licence = ""
    fragment.recording.save()
    draft("1.0", tmp_path / "out")
    assert states(Release.objects.get().checks)["licences"] == "stops"
    with pytest.raises(ReleaseRefused, match=r"not published\. 1 versions with audio name no licence"):
        publish("1.0", tmp_path / "out")
    assert not Release.objects.get().is_published
    fragment.recording.licence = "CC0"
    fragment.recording.save()
    draft("1.0", tmp_path / "out")
    publish("1.0", tmp_path / "out")


def test_a_published_release_is_no_draft_any_more(fragment, tmp_path):
    publish("1.0", tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(ReleaseRefused, match="is published"):
        draft("1.0", tmp_path / "out")
    assert discard(Release.objects.drafts()) == []
    assert contents(tmp_path / "out") == before


# --- what is published never changes


@pytest.fixture
def published(fragment, tmp_path) -> Release:
    publish("1.0", tmp_path / "out")
    return Release.objects.get()


@pytest.mark.parametrize(
    "change",
    [
        lambda release: Release.objects.update(version="2.0"),
        lambda release: Release.objects.update(notes="better words"),
        lambda release: Release.objects.update(published_at=None),
        lambda release: Release.objects.all().delete(),
        lambda release: release.versions.update(audio=""),
        lambda release: release.versions.first().delete(),
        lambda release: release.versions.create(version_id="b90fc829-cd2c-4cf8-b0ff-a3ac2198fa7d", row={}, source={}),
        lambda release: connection.cursor().execute("DELETE FROM recordings_releasedversion"),
        lambda release: connection.cursor().execute("UPDATE recordings_release SET facts = '{}'"),
    ],
)
def test_the_database_refuses_to_change_it(published, change):
    with pytest.raises(IntegrityError, match=r"Release 1\.0 is published; it never changes\."), transaction.atomic():
        change(published)
    published.refresh_from_db()
    assert published.versions.count() == 4


def test_rows_of_a_draft_cannot_be_moved_into_it(published, fragment):
    make.make_humming(fragment, make.make_person("erin"))
    other = freeze("1.1")
    with pytest.raises(IntegrityError, match=r"Release 1\.0 is published"), transaction.atomic():
        other.versions.update(release=published)


def test_exported_again_it_has_the_same_bytes_whatever_happened_since(published, fragment, tmp_path, monkeypatch):
    """Analyses are replaced, takes withdrawn, texts and code rewritten: what was published is kept."""
    before = contents(tmp_path / "out")
    for hum in fragment.hummings.all():
        hum.check_result.melody.storage.delete(hum.check_result.melody.name)
        hum.move_to(Humming.State.WITHDRAWN, why="by its singer")
    fragment.recording.analyses.all().delete()
    monkeypatch.setattr("recordings.release.files.text_files.readme_of", lambda *facts: "other words")
    monkeypatch.setattr("recordings.release.files.table_files.PARQUET", {"compression": "none"})
    publish("1.0", tmp_path / "again")
    assert contents(tmp_path / "again") == before
    assert verify(tmp_path / "again").lines == []


def test_two_exports_of_two_parts_have_the_same_bytes(fragment, tmp_path):
    """A draft that was written before its publication, and one that was not."""
    draft("1.0", tmp_path / "one")
    publish("1.0", tmp_path / "one")
    publish("1.0", tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert any(path.startswith("data/hums/") for path in contents(tmp_path / "one"))
    assert any(path.startswith("f0/") for path in contents(tmp_path / "one"))


def test_a_lost_archive_is_said(published, tmp_path):
    default_storage.delete(published.bundle.name)
    with pytest.raises(ReleaseRefused, match="Put it back from a backup"):
        publish("1.0", tmp_path / "again")


def test_a_changed_archive_is_said(published, tmp_path):
    with default_storage.open(published.bundle.name, "rb+") as file:
        file.seek(200)
        file.write(b"\0\0")
    with pytest.raises(ReleaseRefused, match="is not what it was"):
        publish("1.0", tmp_path / "again")


def test_other_bytes_by_another_library_are_refused(published, tmp_path, monkeypatch):
    monkeypatch.setattr("recordings.release.files.shards.GROUP_ROWS", 1)
    with pytest.raises(ReleaseRefused, match="by another version of pyarrow"):
        publish("1.0", tmp_path / "again")


def test_an_interrupted_publication_is_finished(fragment, tmp_path, monkeypatch):
    """Killed after the database knew, before the sums had their name: the next export finishes the folder."""
    from recordings.release import exporting

    done = exporting.is_out

    def killed(release: Release) -> None:
        done(release)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "is_out", killed)
        with pytest.raises(KeyboardInterrupt):
            publish("1.0", tmp_path / "out")
    assert Release.objects.get().is_published
    assert not (tmp_path / "out" / SUMS).exists()
    publish("1.0", tmp_path / "out")
    assert verify(tmp_path / "out").lines == []
    publish("1.0", tmp_path / "two")
    assert contents(tmp_path / "out") == contents(tmp_path / "two")


def test_a_killed_publication_before_the_database_knew_is_finished_in_the_same_folder(fragment, tmp_path, monkeypatch):
    from recordings.release import exporting

    def killed(release: Release) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "is_out", killed)
        with pytest.raises(KeyboardInterrupt):
            publish("1.0", tmp_path / "out")
    assert not Release.objects.get().is_published
    publish("1.0", tmp_path / "out")
    assert verify(tmp_path / "out").lines == []


def test_an_export_that_another_one_overtook_writes_what_that_one_published(fragment, tmp_path, monkeypatch):
    from recordings.release import exporting

    done = exporting.is_out

    def overtaken(release: Release) -> bool:
        monkeypatch.setattr(exporting, "is_out", done)
        publish("1.0", tmp_path / "first", notes="Words of the first.")
        return done(release)

    draft("1.0", tmp_path / "draft")
    monkeypatch.setattr(exporting, "is_out", overtaken)
    publish("1.0", tmp_path / "second")
    assert contents(tmp_path / "second") == contents(tmp_path / "first")
    assert "Words of the first." in (tmp_path / "second/CHANGELOG.md").read_text()
    publish("1.0", tmp_path / "third")
    assert contents(tmp_path / "third") == contents(tmp_path / "first")


def test_what_is_rejected_at_the_last_moment_is_left_out(fragment, tmp_path, monkeypatch):
    from recordings.release import exporting

    done, hum = exporting.is_out, fragment.hummings.first()

    def rejected_first(release: Release) -> bool:
        monkeypatch.setattr(exporting, "is_out", done)
        hum.move_to(Humming.State.REJECTED, why="An admin said so.")
        return done(release)

    monkeypatch.setattr(exporting, "is_out", rejected_first)
    publish("1.0", tmp_path / "out")
    assert not Release.objects.get().versions.filter(version_id=hum.pk).exists()
    assert not list((tmp_path / "out").rglob(f"{hum.pk}.*"))
    assert len(default_storage.listdir("releases")[1]) == 1, "no archive of the discarded snapshot is left"


def test_of_two_versions_at_once_the_second_is_frozen_anew(fragment, tmp_path, monkeypatch):
    from recordings.release import exporting

    done = exporting.is_out

    def overtaken(release: Release) -> bool:
        monkeypatch.setattr(exporting, "is_out", done)
        publish("1.0", tmp_path / "1.0")
        return done(release)

    monkeypatch.setattr(exporting, "is_out", overtaken)
    with pytest.raises(ReleaseRefused, match=r"Another release was published while 1\.1 was written"):
        publish("1.1", tmp_path / "1.1")
    assert [release.version for release in Release.objects.published()] == ["1.0"]


@pytest.mark.django_db(transaction=True)
def test_a_deletion_waits_for_a_publication_under_way_and_is_refused(fragment):
    """The trigger looks at the release only when nobody is publishing it."""
    release = freeze("1.0")
    outcome: list[str] = []

    def delete() -> None:
        try:
            release.versions.all().delete()
            outcome.append("deleted")
        except IntegrityError:
            outcome.append("refused")
        finally:
            connections.close_all()

    with transaction.atomic():
        Release.objects.filter(pk=release.pk).update(published_at=timezone.now())
        other = threading.Thread(target=delete)
        other.start()
        other.join(0.5)
        assert other.is_alive(), "it waits"
    other.join(20)
    assert outcome == ["refused"]
    assert release.versions.count() == 4


def test_a_discarded_draft_leaves_nothing_behind(fragment, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.CHAD_HOME = tmp_path
    out = tmp_path / "releases/1.0"
    draft("1.0", out)
    assert list(out.rglob("*.flac"))
    with django_capture_on_commit_callbacks(execute=True):
        discard(Release.objects.drafts())
    assert not out.exists()


# --- shards


def test_shards_are_of_a_set_size_and_hold_each_version_once(fragment, tmp_path, settings):
    for number in range(6):
        make.make_humming(fragment, make.make_person(f"singer{number}"), wav=make.tone_file(5.5, 100.0 + number, "WAV"))
    settings.RELEASE_SHARD_BYTES = 200_000
    publish("1.0", tmp_path / "out")
    shards = sorted((tmp_path / "out/data/hums").iterdir())
    assert len(shards) > 2
    assert [path.name for path in shards] == [
        f"{fragment.song.split}-{number:05d}-of-{len(shards):05d}.parquet" for number in range(len(shards))
    ]
    rows = [row for path in shards for row in pq.read_table(path).to_pylist()]
    by_id = {row["id"]: row for row in rows}
    assert len(rows) == len(by_id) == 8
    for hum in fragment.hummings.all():
        row = by_id[str(hum.pk)]
        path = tmp_path / "out" / row["audio"]["path"]
        assert row["audio"]["bytes"] == path.read_bytes()
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (row["duration"], row["check_by_crowdsource"], row["correlation"]) == (5.5, True, None)
        assert row["interval"] == [0.0, 5.5]
    features = json.loads(pq.read_schema(shards[0]).metadata[b"huggingface"])["info"]["features"]
    assert features["audio"] == {"_type": "Audio"}


def test_a_new_shard_size_changes_nothing_that_is_frozen(fragment, tmp_path, settings):
    publish("1.0", tmp_path / "one")
    settings.RELEASE_SHARD_BYTES = 1
    publish("1.0", tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_typed_tables_say_what_the_texts_say(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    typed = pq.read_table(tmp_path / "out/metadata/versions.parquet").to_pylist()
    hum = next(row for row in typed if row["audio_type"] == "humming")
    assert (hum["offset_s"], hum["simulated"], hum["sample_rate"]) == (0.25, False, 16000)
    assert hum["null_level"] is None
    assert hum["checkpoint"] == ""
    intervals = pq.read_table(tmp_path / "out/metadata/dataset.parquet").column("interval").to_pylist()
    assert [1.0, 6.0] in intervals


# --- pitch curves


def test_pitch_curves_begin_where_their_audio_begins(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    curves = {path.stem: path.read_text().splitlines() for path in (tmp_path / "out/f0").rglob("*.csv")}
    assert curves.keys() == {str(fragment.pk), *(str(hum.pk) for hum in fragment.hummings.all())}
    original = [tuple(map(float, line.split(","))) for line in curves[str(fragment.pk)]]
    assert original[0] == (0.0, 220.0)
    assert original[-1] == (4.99, 220.0)
    assert len(original) == 500


def test_a_part_may_be_left_out(fragment, tmp_path):
    export(freeze("1.0"), tmp_path / "out")
    for part in ("data", "f0"):
        for path in sorted((tmp_path / "out" / part).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (tmp_path / "out" / part).rmdir()
        assert verify(tmp_path / "out").lines == []
