"""What may not be released any more: listed in the next release, discarded from snapshots that are not out."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from recordings.models import CoverFragment, Fragment, Humming, Release, ReleasedVersion
from recordings.release import ReleaseRefused, draft, export, freeze, publish, verify
from recordings.release.errors import SnapshotDiscarded
from recordings.release.files.folder import clear
from recordings.release.removed import clear_abandoned, discard, gone_since_release, snapshots_with
from recordings.release.tables import REMOVED, VERSIONS, columns_of_then
from recordings.tests import factories as make

pytestmark = pytest.mark.django_db

CARD = "metadata/release.json"


@pytest.fixture
def fragment() -> Fragment:
    """A fragment with two hums and a cover, of a song that may be given away."""
    fragment = make.make_fragment(make.make_recording(redistributable=True))
    for _ in range(2):
        make.make_humming(fragment)
    make.make_cover_fragment(fragment)
    return fragment


def withdraw(hum: Humming) -> None:
    """As annotation/removing.py does: the state, then the snapshots that are not out."""
    hum.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.")
    discard(snapshots_with(Q(version_id=hum.pk)))


def removed_in(out: Path) -> list[dict[str, str]]:
    with (out / REMOVED).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, dialect=csv.excel_tab))


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / VERSIONS).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def mend_sum(out: Path, path: str) -> None:
    """The sum of a file that was changed on purpose."""
    digest = hashlib.sha256((out / path).read_bytes()).hexdigest()
    lines = (out / "SHA256SUMS").read_text().splitlines()
    mended = [f"{digest}  {path}" if line.endswith(f"  {path}") else line for line in lines]
    (out / "SHA256SUMS").write_text("\n".join(mended) + "\n")


# --- when a release is out


def test_a_release_is_out_when_it_was_first_written_whole(fragment, tmp_path):
    release = freeze("1.0")
    assert release.published_at is None
    export(release, tmp_path / "out")
    first = Release.objects.get().published_at
    assert first
    export(release, tmp_path / "again")
    assert Release.objects.get().published_at == first


def test_one_that_could_not_be_written_is_not_out(fragment, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/something").write_text("else")
    with pytest.raises(ReleaseRefused, match="is not empty"):
        publish("1.0", tmp_path / "out")
    assert Release.objects.get().published_at is None


# --- what the next one lists


def test_the_first_release_lists_nothing(fragment, tmp_path):
    publish("1.0", tmp_path / "out")
    header = "version_id\tfragment_id\taudio_type\tlast_release\twhy\n"
    assert (tmp_path / "out" / REMOVED).read_text() == header
    assert json.loads((tmp_path / "out" / CARD).read_text())["removed"] == 0
    assert verify(tmp_path / "out").counts["removed"] == 0


def test_what_is_gone_is_listed_with_the_last_release_that_held_it_and_without_names(fragment, tmp_path):
    publish("1.0", tmp_path / "1.0")
    first, second = fragment.hummings.order_by("pk")
    withdraw(first)
    publish("1.1", tmp_path / "1.1")
    withdraw(second)
    publish("1.2", tmp_path / "1.2")
    place = {"fragment_id": str(fragment.pk), "audio_type": "humming", "why": "withdrawn"}
    assert removed_in(tmp_path / "1.2") == [
        {"version_id": str(first.pk), "last_release": "1.0", **place},
        {"version_id": str(second.pk), "last_release": "1.1", **place},
    ]
    text = (tmp_path / "1.2" / REMOVED).read_text()
    assert first.singer.username not in text
    assert "2 versions of earlier releases" in (tmp_path / "1.2/README.md").read_text()
    assert verify(tmp_path / "1.2").lines == []
    assert f"  {REMOVED}\n" in (tmp_path / "1.2/SHA256SUMS").read_text()


def test_a_song_that_was_taken_down_is_listed_whole_and_not_when_it_is_back(fragment, tmp_path):
    make.make_humming(make.make_fragment(make.make_recording(make.make_song("Ode to Joy"), hz=330)))
    publish("1.0", tmp_path / "1.0")
    song = fragment.song
    song.taken_down_at = timezone.now()
    song.save()
    publish("1.1", tmp_path / "1.1")
    kinds = sorted((row["audio_type"], row["why"]) for row in removed_in(tmp_path / "1.1"))
    assert kinds == [("cover", "taken down"), *[("humming", "taken down")] * 2, ("original", "taken down")]
    song.taken_down_at = None
    song.save()
    publish("1.2", tmp_path / "1.2")
    assert removed_in(tmp_path / "1.2") == []


def test_what_only_a_snapshot_held_is_not_listed(fragment, tmp_path):
    freeze("1.0")
    withdraw(fragment.hummings.first())
    assert gone_since_release() == []


def test_what_people_rejected_later_was_not_removed(fragment, tmp_path):
    publish("1.0", tmp_path / "1.0")
    fragment.hummings.first().move_to(Humming.State.REJECTED, why="Overruled.")
    CoverFragment.objects.update(state=CoverFragment.State.REJECTED)
    publish("1.1", tmp_path / "1.1")
    assert removed_in(tmp_path / "1.1") == []


def test_the_list_is_frozen_with_the_release(fragment, tmp_path):
    make.make_humming(fragment)
    publish("1.0", tmp_path / "1.0")
    first, second, _third = fragment.hummings.order_by("pk")
    withdraw(first)
    publish("1.1", tmp_path / "1.1")
    withdraw(second)
    publish("1.1", tmp_path / "again")
    assert (tmp_path / "again" / REMOVED).read_bytes() == (tmp_path / "1.1" / REMOVED).read_bytes()


# --- snapshots that are not out


def test_a_snapshot_of_something_withdrawn_is_frozen_anew(fragment, tmp_path):
    stale, hum = freeze("1.0"), fragment.hummings.first()
    withdraw(hum)
    assert not Release.objects.exists()
    assert not freeze("1.0").versions.filter(version_id=hum.pk).exists()
    assert Release.objects.get().pk != stale.pk


@pytest.mark.parametrize("state", ["rejected", "checked"])
def test_a_snapshot_of_a_hum_that_is_not_accepted_any_more_is_frozen_anew(fragment, tmp_path, state):
    stale, hum = freeze("1.0"), fragment.hummings.first()
    hum.move_to(state, why="It is another song.")
    publish("1.0", tmp_path / "out")
    release = Release.objects.get()
    assert release.pk != stale.pk
    assert not release.versions.filter(version_id=hum.pk).exists()
    assert len(rows_of(tmp_path / "out")) == 3
    hum.move_to(Humming.State.ACCEPTED, why="It is not.")
    fragment.hummings.last().move_to(Humming.State.REJECTED, why="It is another song.")
    assert freeze("1.0").pk == release.pk, "what is out stays"


def test_a_snapshot_of_a_cover_that_is_not_accepted_any_more_is_frozen_anew(fragment):
    stale, cover = freeze("1.0"), fragment.cover_fragments.get()
    cover.move_to(CoverFragment.State.ACCEPTED, why="People agreed.")
    assert freeze("1.0").pk == stale.pk
    cover.move_to(CoverFragment.State.REJECTED, why="People did not.")
    assert not freeze("1.0").versions.filter(version_id=cover.pk).exists()
    assert Release.objects.get().pk != stale.pk


def test_looking_whether_a_snapshot_may_go_out_takes_three_queries(fragment, django_assert_num_queries):
    for _ in range(5):
        make.make_humming(fragment)
    freeze("1.0")
    with django_assert_num_queries(3):
        freeze("1.0")


def test_a_cover_that_was_mined_anew_is_taken_down_with_its_song(fragment, tmp_path):
    """Mining anew stores new rows in the place of those that nobody judged."""
    publish("1.0", tmp_path / "out")
    cover = CoverFragment.objects.get()
    found = str(cover.pk)
    cover.delete()
    assert gone_since_release() == []
    fragment.recording.song.taken_down_at = timezone.now()
    fragment.recording.song.save()
    assert found in {gone.version_id for gone in gone_since_release()}
    assert len(gone_since_release()) == ReleasedVersion.objects.count()


def test_a_draft_with_a_cover_that_was_mined_anew_is_frozen_anew(fragment, tmp_path):
    old = freeze("1.0")
    CoverFragment.objects.all().delete()
    found = make.make_cover_fragment(fragment)
    publish("1.0", tmp_path / "out")
    release = Release.objects.get()
    assert release.pk != old.pk
    assert release.versions.get(audio_type="cover").version_id == found.pk


class Meanwhile:
    """Withdraws a hum while the export is at this share of its work."""

    def __init__(self, hum: Humming, share: float, audio: bool = False) -> None:
        self.hum, self.share, self.audio, self.done = hum, share, audio, False

    def __call__(self, share: float, message: str) -> None:
        if not self.done and share >= self.share:
            self.done = True
            withdraw(self.hum)
            if self.audio:
                self.hum.audio.storage.delete(self.hum.audio.name)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("audio", [False, True], ids=["", "its audio deleted"])
def test_what_is_withdrawn_while_the_export_runs_is_frozen_anew_and_written(fragment, tmp_path, share, audio):
    hum = fragment.hummings.first()
    result = publish("1.0", tmp_path / "out", Meanwhile(hum, share, audio))
    assert result["humming"] == 1
    assert verify(tmp_path / "out").lines == []
    assert not list((tmp_path / "out").rglob(f"{hum.pk}.*")), "nothing of it is left in the folder"
    assert not ReleasedVersion.objects.filter(version_id=hum.pk).exists()
    assert Release.objects.get().published_at


@pytest.mark.parametrize("written", ["all of it", "nothing", "something else"])
def test_the_folder_of_a_discarded_draft_goes_when_nothing_else_is_in_it(
    fragment, tmp_path, settings, django_capture_on_commit_callbacks, written
):
    settings.CHAD_HOME, folder = tmp_path, tmp_path / "releases/1.0"
    if written == "nothing":
        freeze("1.0")
        folder.mkdir(parents=True)
    else:
        draft("1.0", folder)
    if written == "something else":
        (folder / "mine.txt").write_text("mine")
    with django_capture_on_commit_callbacks(execute=True):
        discard(Release.objects.all())
    left = [path.name for path in folder.iterdir()] if folder.exists() else None
    assert left == (["mine.txt"] if written == "something else" else None)


def test_the_export_of_a_discarded_snapshot_says_so_and_leaves_nothing(fragment, tmp_path):
    release = freeze("1.0")
    with pytest.raises(SnapshotDiscarded, match="was withdrawn or taken down while it was written"):
        export(release, tmp_path / "out", Meanwhile(fragment.hummings.first(), 0.5))
    assert list((tmp_path / "out").iterdir()) == []


class Ended(BaseException):
    """Somebody ends the work."""


@pytest.mark.parametrize("ended", [Ended, KeyboardInterrupt])
def test_whoever_ends_the_writing_after_something_was_withdrawn_leaves_nothing(fragment, tmp_path, ended):
    meanwhile = Meanwhile(fragment.hummings.first(), 0.6)

    def withdrawn_then_ended(share: float, message: str) -> None:
        meanwhile(share, message)
        if meanwhile.done:
            raise ended

    with pytest.raises(ended):
        draft("1.0", tmp_path / "out", withdrawn_then_ended)
    assert list((tmp_path / "out").iterdir()) == []
    assert not Release.objects.exists()


def test_whoever_ends_it_otherwise_leaves_what_is_written(fragment, tmp_path):
    def ended(share: float, message: str) -> None:
        if share > 0.6:
            raise Ended

    with pytest.raises(Ended):
        publish("1.0", tmp_path / "out", ended)
    assert list((tmp_path / "out").rglob("*.flac"))
    assert not Release.objects.get().is_published


def test_a_publication_can_be_ended_until_the_last_moment(fragment, settings, tmp_path):
    make.use_storage(settings, tmp_path / "storage")

    def ended(share: float, message: str) -> None:
        if message == "Publishing":
            assert list((tmp_path / "storage/releases").iterdir())
            raise Ended

    with pytest.raises(Ended):
        publish("1.0", tmp_path / "out", ended)
    assert not Release.objects.get().is_published
    assert not (tmp_path / "out/SHA256SUMS").exists()
    assert list((tmp_path / "storage/releases").iterdir()) == []
    publish("1.0", tmp_path / "out")
    assert verify(tmp_path / "out").lines == []


def test_a_folder_whose_clearing_was_killed_is_cleared_by_who_comes_next(fragment, tmp_path, monkeypatch):
    draft("1.0", tmp_path / "out")
    unlink, removed = Path.unlink, []

    def killed(path: Path, **options: Any) -> None:
        if len(removed) == 12:
            raise Ended
        removed.append(path)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(Ended):
        clear(tmp_path / "out")
    monkeypatch.undo()
    assert len(removed) == 12
    draft("1.0", tmp_path / "out")
    publish("1.0", tmp_path / "out")
    assert verify(tmp_path / "out").lines == []


def test_what_was_written_of_a_draft_that_is_no_more_is_cleared_some_day(fragment, settings, tmp_path):
    settings.CHAD_HOME = tmp_path
    homes = {version: tmp_path / "releases" / version for version in ("1.0", "1.1", "1.2", "1.3")}
    publish("1.0", homes["1.0"])
    for version in ("1.1", "1.2", "1.3"):
        draft(version, homes[version])
    Release.objects.filter(version__in=["1.1", "1.2"]).delete()  # as of work that was killed before it could clear
    clear_abandoned(busy={"1.2"})
    assert {version: home.exists() for version, home in homes.items()} == {
        "1.0": True, "1.1": False, "1.2": True, "1.3": True,
    }  # fmt: skip


def test_what_a_killed_export_of_a_discarded_snapshot_left_makes_room(fragment, tmp_path):
    out = tmp_path / "out"
    draft("1.0", out)
    withdraw(fragment.hummings.first())
    publish("1.0", out)
    assert verify(out).lines == []
    assert verify(out).counts["humming"] == 1


def test_a_release_that_is_whole_is_never_cleared_for_another_of_its_name(fragment, tmp_path):
    publish("1.0", tmp_path / "out")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # as on another instance, which never had it
        cursor.execute("DELETE FROM recordings_releasedversion; DELETE FROM recordings_release")
        cursor.execute("SET session_replication_role = DEFAULT")
    with pytest.raises(ReleaseRefused, match="holds another release"):
        publish("1.0", tmp_path / "out")


def test_where_something_is_withdrawn_again_and_again_the_export_gives_up_in_words(fragment, tmp_path, monkeypatch):
    def discarded(*anything: Any) -> None:
        raise SnapshotDiscarded("gone")

    monkeypatch.setattr("recordings.release.publishing.export", discarded)
    with pytest.raises(ReleaseRefused, match="3 times in a row"):
        publish("1.0", tmp_path / "out")
    with pytest.raises(SystemExit) as ended:
        call_command("export_release", "1.0", out=tmp_path / "out")
    assert ended.value.code == 2


# --- the columns


def test_licence_and_wish_are_the_takes_own(fragment, tmp_path):
    hum = fragment.hummings.first()
    Humming.objects.filter(pk=hum.pk).update(licence="CC0-1.0", ai_training=False, consent_version="2026-11-26")
    publish("1.0", tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    told = {row["id"]: (row["licence"], row["ai_training"], row["consent_version"]) for row in rows}
    assert told[str(hum.pk)] == ("CC0-1.0", "False", "2026-11-26")
    assert {row["ai_training"] for row in rows if row["audio_type"] == "humming"} == {"True", "False"}
    assert {row["ai_training"] for row in rows if row["audio_type"] != "humming"} == {""}


def test_the_headers_of_every_time_are_known():
    headers = columns_of_then(["id", "latency_s", "similarity", "ai_training"])
    assert headers == [
        ["id", "latency_s", "similarity", "ai_training"],
        ["id", "latency_s", "similarity", "ai_training"],
        ["id", "latency_s", "similarity"],
        ["id", "similarity"],
    ]


# --- what verify_release finds


@pytest.fixture
def out(fragment, tmp_path) -> Path:
    """A release with one version on its list."""
    publish("1.0", tmp_path / "1.0")
    withdraw(fragment.hummings.first())
    publish("1.1", tmp_path / "1.1")
    return tmp_path / "1.1"


def test_a_list_of_nonsense_is_found(out):
    path, kept = out / REMOVED, rows_of(out)[-1]["id"]
    good = path.read_text()
    listed = good.splitlines()[1].split("\t")
    for spoiled, says in (
        (good.replace("withdrawn", "for fun"), "why is 'for fun'; it has to be one of withdrawn, taken down"),
        (good.replace(listed[0], kept), f"line 2: {kept} is listed as removed, and is in the release"),
        (good + good.splitlines()[1] + "\n", f"line 3: {listed[0]} is listed a second time"),
        (good.splitlines()[0] + "\n", "has 0 rows; the release was frozen with 1"),
    ):
        path.write_text(spoiled)
        mend_sum(out, REMOVED)
        assert any(says in line for line in verify(out).lines), says


def test_a_list_that_was_taken_away_is_missed(out):
    (out / REMOVED).unlink()
    sums = out / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if REMOVED not in line))
    assert verify(out).lines == [
        f"SHA256SUMS: does not name {REMOVED}, which {CARD} says is in it",
        f"SHA256SUMS: does not name {REMOVED}, unlike {CARD}",
    ]


def test_a_release_from_before_there_was_a_list_is_in_order(out):
    (out / REMOVED).unlink()
    sums, card = out / "SHA256SUMS", out / CARD
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if REMOVED not in line))
    facts = json.loads(card.read_text())
    del facts["removed"], facts["files"]
    card.write_text(json.dumps(facts))
    mend_sum(out, CARD)
    assert verify(out).lines == []


def test_a_wish_that_is_missing_is_found(out):
    rows = rows_of(out)
    rows[-1]["ai_training"] = ""
    with (out / VERSIONS).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    mend_sum(out, VERSIONS)
    assert "ai_training is ''; only a hum has it, and each does" in " ".join(verify(out).lines)
