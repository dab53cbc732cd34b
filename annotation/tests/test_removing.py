"""A take withdrawn, an account deleted, a song taken down: each leaves every place where it was, and a row of it."""

from __future__ import annotations

import csv
import io
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation import leaving, removing, taking
from annotation.handing_out import claim
from annotation.models import Consent, Control, Lease, Removal, ReviewItem, Slot
from annotation.removing import Touched, touched_by_account, touched_by_song, touched_by_take
from annotation.roles import make_reviewer
from annotation.taking import SentTake, save_take
from annotation.tests.test_slots import together
from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Fragment, Humming, Recording, Release, Song, TrainingUse
from recordings.release import export, freeze, publish, verify
from recordings.storage import sha256_of
from recordings.tests import factories

pytestmark = pytest.mark.django_db

NEVER = Touched()


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")
    settings.SLOTS_PER_FRAGMENT = 3


@pytest.fixture
def alice() -> AbstractBaseUser:
    person = factories.make_person("alice")
    Consent.give(person)
    return person


@pytest.fixture
def admin() -> AbstractBaseUser:
    return factories.make_person("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def reviewer() -> AbstractBaseUser:
    person = factories.make_person("ruth")
    make_reviewer(person)
    return person


class World:
    """A song in every place: an accepted take of Alice and one of Bob that waits, a doubtful cover, controls, releases,
    a checkpoint; and another song beside it, of which nothing may change."""

    def __init__(self, alice: AbstractBaseUser, reviewer: AbstractBaseUser, tmp_path: Path) -> None:
        self.original = factories.make_recording(seconds=30, redistributable=True)
        self.song = self.original.song
        self.fragment = factories.make_fragment(self.original)
        self.other = factories.make_fragment(factories.make_recording(factories.make_song("Ode to Joy"), hz=330))
        self.kept = factories.make_humming(self.other)
        self.kept_item = ReviewItem.objects.create(humming=self.kept, state=ReviewItem.State.SETTLED)
        self.waiting_elsewhere = factories.make_humming(self.other, state=Humming.State.CHECKED)
        self.item_elsewhere = ReviewItem.ask_about(self.waiting_elsewhere)
        self.take = factories.make_humming(self.fragment, alice)
        self.item = ReviewItem.objects.create(humming=self.take, state=ReviewItem.State.SETTLED)
        self.bobs = factories.make_humming(self.fragment, state=Humming.State.CHECKED)
        self.bobs_item = ReviewItem.ask_about(self.bobs)
        self.bobs_item.judge(reviewer, "accept")
        video = factories.make_recording(self.song, "cover", hz=440)
        self.matched = factories.make_cover_fragment(self.fragment, video)
        self.cover = factories.make_cover_fragment(self.fragment, video, CoverFragment.State.DOUBTFUL, start_s=4.0)
        self.cover_item = ReviewItem.ask_about(self.cover)
        self.cover_item.lease(reviewer)
        Slot.lay_out()
        with transaction.atomic():
            for take in (self.take, self.bobs, self.kept):
                Slot.put(take, lease=None)
        self.control = make_control(self.take, self.other, Control.Fault.SWAPPED)
        self.shown = make_control(self.kept, self.fragment, Control.Fault.SWAPPED)
        self.as_is = make_control(self.kept, self.other, Control.Fault.AS_IS)
        publish("1.0", tmp_path / "1.0")
        freeze("1.1")
        TrainingUse.objects.create(version_id=self.take.pk, checkpoint="short-aa")
        TrainingUse.objects.create(version_id=self.kept.pk, checkpoint="short-bb")

    def state_of(self, row: Any) -> str:
        return type(row).objects.get(pk=row.pk).state


def make_control(take: Humming, fragment: Fragment, fault: str) -> Control:
    facts = {"curve": {}, "duration_s": 5.0, "offset_s": 0.25, "tempo_ratio": 1.0}
    control = Control.objects.create(humming=take, fragment=fragment, fault=fault, **facts)
    ReviewItem.objects.create(control=control, state=ReviewItem.State.CONTROL)
    return control


@pytest.fixture
def world(alice: AbstractBaseUser, reviewer: AbstractBaseUser, tmp_path: Path) -> World:
    return World(alice, reviewer, tmp_path)


def is_retired(control: Control) -> bool:
    return Control.objects.get(pk=control.pk).retired_at is not None


def removed_in(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((out / "REMOVED.tsv").read_text()), dialect=csv.excel_tab))


def ids_in(version: str) -> set[uuid.UUID]:
    return set(freeze(version).versions.values_list("version_id", flat=True))


def send(singer: AbstractBaseUser, lease: Lease) -> Humming:
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    return save_take(SentTake(uuid.uuid4(), audio, sha256_of(audio), capture={}), lease)[0]


# --- one take


TAKE = Touched(
    takes=1,
    slots=1,
    items=1,
    controls=1,
    versions=1,
    unreleased=["1.1"],
    published=["1.0"],
    checkpoints=["short-aa"],
)


def test_a_withdrawn_take_leaves_every_place(world, alice, tmp_path):
    assert touched_by_take(world.take) == TAKE
    taking.withdraw(world.take, alice)
    assert world.state_of(world.take) == Humming.State.WITHDRAWN
    assert not Slot.objects.filter(humming=world.take).exists()
    assert world.state_of(world.item) == ReviewItem.State.CLOSED
    assert is_retired(world.control)
    assert not is_retired(world.as_is)
    assert list(Release.objects.values_list("version", flat=True)) == ["1.0"]
    assert world.take.pk not in ids_in("1.1")
    assert touched_by_take(world.take) == Touched(), "nothing is left to be touched"


def test_it_is_listed_as_removed_in_the_next_release_and_stays_in_the_one_that_is_out(world, alice, tmp_path):
    taking.withdraw(world.take, alice)
    publish("1.1", tmp_path / "1.1")
    row = {"version_id": str(world.take.pk), "fragment_id": str(world.fragment.pk), "audio_type": "humming"}
    assert removed_in(tmp_path / "1.1") == [row | {"last_release": "1.0", "why": "withdrawn"}]
    export(Release.objects.get(version="1.0"), tmp_path / "again")
    assert (tmp_path / "again/SHA256SUMS").read_bytes() == (tmp_path / "1.0/SHA256SUMS").read_bytes()
    assert verify(tmp_path / "1.1").lines == []


def test_the_row_says_what_was_touched_as_the_preview_did(world, alice):
    taking.withdraw(world.take, alice)
    removal = Removal.objects.get()
    assert (removal.kind, removal.subject_id, removal.person) == ("take", str(world.take.pk), alice)
    assert removal.why == "Withdrawn by its singer."
    assert removal.touched == TAKE.as_dict()


def test_withdrawing_twice_is_once(world, alice):
    taking.withdraw(world.take, alice)
    taking.withdraw(world.take, alice)
    assert Removal.objects.count() == 1


def test_a_preview_changes_nothing_and_asks_little(world, alice):
    for preview in (
        lambda: touched_by_take(world.take),
        lambda: touched_by_account(alice, keep_takes=False),
        lambda: touched_by_song(world.song),
    ):
        with CaptureQueriesContext(connection) as asked:
            preview()
        assert len(asked) <= 14
        assert all(query["sql"].startswith("SELECT") for query in asked)
    assert not Removal.objects.exists()
    assert Release.objects.count() == 2


def test_the_singer_is_told_what_it_touches_and_nobody_else_is(world, alice, admin):
    client = Client()
    client.force_login(alice)
    told = client.get(f"/api/hums/{world.take.pk}/withdrawal").json()
    assert told["touched"] == TAKE.as_dict()
    assert told["sentences"] == [
        "It leaves the phrase, the double-check and every future release.",
        "It is in release 1.0, which is out. Its public pages stop giving the hum at once, and later releases list it "
        "as removed.",
        "Lines in tables that are out stay, without the sound.",
        "Copies that people downloaded before cannot be called back. We ask them to delete those.",
        "1 model has already learned from what leaves, and is marked from now on.",
        "This cannot be undone, and the phrase is not offered to you again.",
    ]
    client.force_login(admin)
    assert client.get(f"/api/hums/{world.take.pk}/withdrawal").status_code == 404


# --- an account


def test_an_account_that_goes_with_its_takes_leaves_one_row_without_a_name(world, alice):
    lease = claim(alice)
    assert lease.slot.fragment == world.other
    preview = touched_by_account(alice, keep_takes=False)
    assert preview == Touched(**{**TAKE.as_dict(), "leases": 1})
    leaving.leave(alice, keep_takes=False)
    removal = Removal.objects.get()
    assert (removal.kind, removal.subject_id, removal.subject, removal.person) == ("account", str(alice.pk), "", None)
    assert removal.touched == preview.as_dict()
    assert "alice" not in f"{removal.why} {removal.touched}"
    assert world.state_of(world.take) == Humming.State.WITHDRAWN
    assert not Release.objects.filter(version="1.1").exists()
    assert Humming.objects.get(pk=world.take.pk).audio, "release 1.0 is out and needs it"


def test_audio_that_only_an_unreleased_snapshot_held_is_deleted(alice, tmp_path):
    take = factories.make_humming(None, alice)
    audio = take.audio
    freeze("1.0")
    leaving.leave(alice, keep_takes=False)
    assert not Release.objects.exists()
    assert not audio.storage.exists(audio.name)


def test_an_account_that_leaves_its_takes_touches_none(world, alice):
    assert touched_by_account(alice, keep_takes=True) == NEVER
    leaving.leave(alice, keep_takes=True)
    removal = Removal.objects.get()
    assert removal.touched == NEVER.as_dict()
    assert world.state_of(world.take) == Humming.State.ACCEPTED
    assert Release.objects.filter(version="1.1").exists()


def test_the_page_for_leaving_tells_what_goes(world, alice):
    client = Client()
    client.force_login(alice)
    page = client.get("/account/leave/").content.decode()
    assert "1 take leaves its phrase, the double-check and every future release." in page
    assert "It is in release 1.0, which is out. Its public pages stop giving the hum at once" in page
    assert "Copies that people downloaded before cannot be called back." in page


# --- a song


SONG = Touched(
    takes=2,
    slots=3,
    items=2,
    verdicts=1,
    controls=2,
    covers=2,
    leases=2,
    versions=2,
    unreleased=["1.1"],
    published=["1.0"],
    checkpoints=["short-aa"],
)


@pytest.fixture
def lent(world: World) -> Lease:
    """A phrase of the song, lent to Carl."""
    carl = factories.make_person("carl")
    Consent.give(carl)
    return claim(carl, world.fragment.pk)


def test_a_song_that_is_taken_down_leaves_every_place(world, admin, lent, tmp_path):
    assert touched_by_song(world.song) == SONG
    removal = removing.take_down(world.song, admin, " Its owner asked for it. ")
    assert removal.touched == SONG.as_dict()
    assert (removal.kind, removal.subject_id, removal.person) == ("song", str(world.song.pk), admin)
    assert removal.subject == "Auld Lang Syne (Trad. Scottish)"
    assert removal.why == "Its owner asked for it."
    assert Song.objects.get(pk=world.song.pk).taken_down_at
    lent.refresh_from_db()
    assert lent.outcome == Lease.Outcome.EXPIRED
    assert [world.state_of(item) for item in (world.item, world.bobs_item, world.cover_item)] == [
        "settled",
        "closed",
        "closed",
    ]
    assert ReviewItem.objects.exclude(leased_to=None).count() == 0
    history = world.bobs_item.history.get(after="closed")
    assert (history.person, history.why) == (admin, "Its song was taken down. Its owner asked for it.")
    assert [is_retired(control) for control in (world.control, world.shown, world.as_is)] == [True, True, False]
    assert not Release.objects.filter(version="1.1").exists()
    assert set(Humming.objects.trainable()) == {world.kept}
    assert world.state_of(world.item_elsewhere) == "waiting", "another song's item"


def test_the_next_release_lists_hums_covers_and_originals_of_it(world, admin, tmp_path):
    removing.take_down(world.song, admin, "Asked to.")
    publish("1.1", tmp_path / "1.1")
    assert ids_in("1.1") == {world.other.pk, world.kept.pk}
    gone = removed_in(tmp_path / "1.1")
    assert {(row["version_id"], row["audio_type"], row["why"], row["last_release"]) for row in gone} == {
        (str(world.fragment.pk), "original", "taken down", "1.0"),
        (str(world.matched.pk), "cover", "taken down", "1.0"),
        (str(world.take.pk), "humming", "taken down", "1.0"),
    }
    assert verify(tmp_path / "1.1").lines == []


def test_taking_down_twice_is_once_and_wants_a_reason(world, admin):
    with pytest.raises(NotAllowed, match="Say why"):
        removing.take_down(world.song, admin, "  ")
    first = removing.take_down(world.song, admin, "Asked to.")
    assert removing.take_down(world.song, admin, "Again.") == first
    assert Removal.objects.count() == 1


def test_a_song_that_was_put_back_is_as_before(world, admin, alice, tmp_path):
    before = touched_by_song(world.song)
    removal = removing.take_down(world.song, admin, "Asked to.")
    taking.withdraw(world.take, alice)
    removing.put_back(world.song, admin)
    removing.put_back(world.song, admin)
    removal.refresh_from_db()
    assert removal.lifted_at
    assert removal.lifted_by == admin
    assert not Song.objects.get(pk=world.song.pk).taken_down_at
    assert [world.state_of(item) for item in (world.bobs_item, world.cover_item)] == ["waiting", "waiting"]
    assert world.state_of(world.item) == "closed", "its singer took it back meanwhile"
    assert touched_by_song(world.song).items == before.items
    publish("1.1", tmp_path / "1.1")
    assert {world.fragment.pk, world.matched.pk} <= ids_in("1.1")
    assert [row["why"] for row in removed_in(tmp_path / "1.1")] == ["withdrawn"]
    removing.take_down(world.song, admin, "Once more.")
    assert Removal.objects.filter(kind="song").count() == 2


def test_control_items_come_back_with_their_song(world, admin):
    control = make_control(world.take, world.fragment, Control.Fault.CUT)
    removing.take_down(world.song, admin, "Asked to.")
    control.refresh_from_db()
    assert control.retired_at
    removing.put_back(world.song, admin)
    control.refresh_from_db()
    assert control.retired_at is None


def test_control_items_of_what_is_not_accepted_any_more_stay_away(world, admin):
    """Only of what is accepted it is known what it is."""
    facts = {"curve": {}, "duration_s": 5.0, "offset_s": 0.25, "tempo_ratio": 1.0, "fault": Control.Fault.CUT}
    of_cover, of_doubtful = (
        Control.objects.create(cover_fragment=cover, fragment=world.other, **facts)
        for cover in (world.matched, world.cover)
    )
    removing.take_down(world.song, admin, "Asked to.")
    Humming.objects.filter(pk=world.take.pk).update(state=Humming.State.REJECTED)
    removing.put_back(world.song, admin)
    assert is_retired(world.control)
    assert is_retired(of_doubtful)
    assert not is_retired(of_cover)
    assert not is_retired(world.shown)


def test_what_a_machine_or_an_undo_would_ask_of_a_song_that_is_down_stays_closed(world, admin, reviewer):
    item = ReviewItem.objects.get(pk=world.cover_item.pk)
    item.overrule(admin, "accept", "It is right.")
    removing.take_down(world.song, admin, "Asked to.")
    ReviewItem.objects.filter(pk=item.pk).update(overruled_by=None)
    with transaction.atomic():
        item.lock().reconsider(None, why="A verdict was taken back.")
    item.refresh_from_db()
    assert item.state == item.State.CLOSED
    late = factories.make_cover_fragment(world.fragment, state=CoverFragment.State.DOUBTFUL)
    assert ReviewItem.ask_about(late).state == ReviewItem.State.CLOSED
    removing.put_back(world.song, admin)
    assert {one.state for one in ReviewItem.objects.filter(cover_fragment__isnull=False)} == {"waiting"}


def test_an_item_that_verdicts_had_settled_by_then_settles_when_it_is_put_back(world, admin, reviewer):
    removing.take_down(world.song, admin, "Asked to.")
    second = factories.make_person("rob")
    world.bobs_item.verdicts.create(person=second, decision="accept", item=world.bobs_item)
    removing.put_back(world.song, admin)
    assert world.state_of(world.bobs_item) == "settled"
    assert world.state_of(world.bobs) == Humming.State.ACCEPTED


def test_a_take_that_was_under_way_is_kept_and_asked_about_when_the_song_is_back(world, admin, lent):
    """What the singer hummed is saved all the same; it comes to the double-check with its song."""
    removing.take_down(world.song, admin, "Asked to.")
    take = send(lent.person, lent)
    factories.make_check(take)
    taking.apply_check(take)
    item = ReviewItem.objects.get(humming=take)
    assert item.state == "closed"
    removing.put_back(world.song, admin)
    assert world.state_of(item) == "waiting"


@pytest.mark.django_db(transaction=True)
def test_verdicts_takes_and_withdrawals_at_the_same_moment_neither_deadlock_nor_slip_through(
    alice, reviewer, admin, tmp_path
):
    world = World(alice, reviewer, tmp_path)
    carl = factories.make_person("carl")
    Consent.give(carl)
    lease = claim(carl, world.fragment.pk)
    second = factories.make_person("rob")

    def judge(item: ReviewItem) -> None:
        with suppress(NotAllowed):  # the song went down before
            item.judge(second, "accept")

    acts = [
        lambda: removing.take_down(world.song, admin, "Asked to."),
        lambda: removing.take_down(world.song, admin, "Asked to, twice."),
        lambda: judge(world.bobs_item),
        lambda: judge(world.cover_item),
        lambda: send(carl, lease),
        lambda: taking.withdraw(world.take, alice),
        lambda: freeze("1.1"),
    ]
    together(len(acts), lambda number: acts[number]())
    assert Removal.objects.filter(kind="song").count() == 1
    assert not ReviewItem.objects.filter(humming__fragment=world.fragment, state__in=("waiting", "disputed")).exists()
    assert world.state_of(world.cover_item) == "closed"
    assert Humming.objects.filter(singer=carl).count() == 1, "it was told to be saved"
    assert world.state_of(world.take) == Humming.State.WITHDRAWN
    assert ids_in("1.1") == {world.other.pk, world.kept.pk}


# --- snapshots


def test_a_snapshot_that_holds_what_was_withdrawn_is_never_handed_out(world, alice):
    """Also where it was frozen at the very moment: the withdrawal did not see it yet."""
    stale = Release.objects.get(version="1.1")
    Humming.objects.filter(pk=world.take.pk).update(state=Humming.State.WITHDRAWN)
    assert freeze("1.1").pk != stale.pk
    assert world.take.pk not in ids_in("1.1")
    assert freeze("1.0").version == "1.0", "what is out stays"
    assert world.take.pk in ids_in("1.0")


def test_a_release_that_is_out_is_not_discarded_by_anything(world, alice, admin):
    Release.objects.filter(version="1.1").update(published_at=timezone.now())
    taking.withdraw(world.take, alice)
    removing.take_down(world.song, admin, "Asked to.")
    assert Release.objects.count() == 2
    assert Recording.objects.filter(song=world.song).count() == 2
