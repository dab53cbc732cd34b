"""The double-check: who gets what, what a verdict does, and taking it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import taking
from annotation.models import PassedOver, Reviewer, ReviewItem, Slot, Verdict
from annotation.tests.desks import Desk, cover_to_check, hum_to_check, make_control
from recordings.models import CoverFragment, HumCheck, Humming, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def rita() -> Desk:
    return Desk("rita")


@pytest.fixture
def roger() -> Desk:
    return Desk("roger")


@pytest.fixture
def one_settles(settings) -> None:
    """One verdict is enough, where a test is about something else."""
    settings.VERDICTS_TO_SETTLE = 1


def state_of(item: ReviewItem) -> str:
    """Of the hum or cover fragment."""
    item.version.refresh_from_db()
    return item.version.state


# ---------------------------------------------------------------- what comes, and to whom


def test_a_reviewer_gets_an_item_with_both_sides(rita: Desk):
    hum_to_check()
    answer = rita.next()
    item = answer["item"]
    assert (answer["left"], answer["left_is_more"]) == (10, False), "in tens"
    assert item["kind"] == "hum"
    for side in ("original", "version"):
        sound = rita.get(item[side]["audio_url"])
        assert (sound.status_code, sound["Content-Type"]) == (200, "audio/flac")
        assert rita.get(item[side]["curve_url"]).json()["pitch"]


def test_a_doubtful_cover_fragment_is_reviewed_like_a_hum(rita: Desk, one_settles):
    item = cover_to_check()
    shown = rita.next()["item"]
    assert shown["kind"] == "cover"
    assert shown["similarity"] == pytest.approx(item.cover_fragment.correlation)
    for side in ("original", "version"):
        assert rita.get(shown[side]["audio_url"]).status_code == 200
    rita.judge(item)
    assert state_of(item) == CoverFragment.State.ACCEPTED


def test_what_is_on_a_desk_goes_to_nobody_else_and_the_next_one_is_another(rita: Desk, roger: Desk):
    first, second = hum_to_check(), hum_to_check()
    on_desk = rita.next()["item"]["id"]
    assert rita.next()["item"]["id"] == on_desk, "a page that is loaded anew finds what it had"
    loaded_ahead = rita.next(on_desk)["item"]["id"]
    assert {on_desk, loaded_ahead} == {str(first.pk), str(second.pk)}
    assert rita.next(on_desk, loaded_ahead)["item"] is None, "nobody hoards"
    assert roger.next()["item"] is None


def test_an_item_that_is_given_back_or_whose_time_is_over_goes_to_the_next_reviewer(rita: Desk, roger: Desk):
    item = hum_to_check()
    rita.next()
    assert rita.post(f"/api/review/{item.pk}/release").status_code == 204
    assert roger.next()["item"]
    ReviewItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert rita.next()["item"]


def test_a_page_that_is_left_late_takes_nothing_from_the_one_loaded_in_its_place(rita: Desk, roger: Desk):
    item = hum_to_check()
    before = rita.next()["item"]["expires_at"]
    rita.next()
    assert rita.post(f"/api/review/{item.pk}/release", expires_at=before).status_code == 204
    assert roger.next()["item"] is None
    after = rita.next()["item"]["expires_at"]
    assert rita.post(f"/api/review/{item.pk}/release", expires_at=after).status_code == 204
    assert roger.next()["item"]


def test_giving_back_what_somebody_else_has_changes_nothing(rita: Desk, roger: Desk):
    item = hum_to_check()
    rita.next()
    assert roger.post(f"/api/review/{item.pk}/release").status_code == 204
    assert roger.next()["item"] is None


def test_the_time_is_extended_while_the_reviewer_is_at_it(rita: Desk):
    item = hum_to_check()
    rita.next()
    ReviewItem.objects.update(leased_until=timezone.now() + timedelta(seconds=5))
    assert rita.post("/api/review/extend").status_code == 200
    item.refresh_from_db()
    assert item.leased_until > timezone.now() + timedelta(minutes=5)
    rita.judge(item)
    assert rita.post("/api/review/extend").json()["code"] == "lease_over"


def test_nobody_reviews_an_own_take(rita: Desk):
    hum_to_check(singer=rita.person)
    assert rita.next()["item"] is None


def test_what_one_cannot_tell_is_left_to_others(rita: Desk, roger: Desk):
    item = hum_to_check()
    rita.next()
    assert rita.post(f"/api/review/{item.pk}/pass").status_code == 204
    assert PassedOver.objects.get().person == rita.person
    assert rita.next()["item"] is None
    assert roger.next()["item"]


def test_a_withdrawn_take_leaves_the_queue_and_a_verdict_on_it_is_refused(rita: Desk):
    item = hum_to_check()
    rita.next()
    taking.withdraw(item.humming, item.humming.singer)
    answer = rita.judge(item)
    assert (answer.status_code, answer.json()["code"]) in ((409, "lease_over"), (409, "not_yours"))
    assert rita.next()["item"] is None
    item.refresh_from_db()
    assert item.state == item.State.CLOSED


def test_the_order_is_what_helps_most(rita: Desk, roger: Desk):
    """One verdict from settled, then where the machine is least sure, then age."""
    old, unsure, begun = hum_to_check(), hum_to_check(), hum_to_check()
    ReviewItem.objects.filter(pk=unsure.pk).update(sureness=0.2)
    ReviewItem.objects.filter(pk=begun.pk).update(sureness=0.95)
    begun.lease(rita.person)
    begun.judge(rita.person, "accept")
    order = []
    for _ in range(3):
        item = roger.next()["item"]["id"]
        order.append(item)
        roger.judge(item)
    assert order == [str(begun.pk), str(unsure.pk), str(old.pk)]


def test_only_who_has_it_on_the_desk_or_judged_it_may_hear_it(rita: Desk, roger: Desk):
    hum_to_check()
    item = rita.next()["item"]
    sound = item["version"]["audio_url"]
    assert roger.get(sound).status_code == 404
    rita.judge(item["id"])
    assert rita.get(sound).status_code == 200
    admin = Desk("ada")
    admin.person.is_staff = True
    admin.person.save()
    assert admin.get(sound).status_code == 200


# ---------------------------------------------------------------- verdicts


def test_two_agreeing_verdicts_settle_and_leave_rows_of_who_and_why(rita: Desk, roger: Desk):
    item = hum_to_check()
    rita.accept(item)
    item.refresh_from_db()
    assert (item.state, item.missing, state_of(item)) == ("waiting", 1, Humming.State.CHECKED)
    roger.accept(item)
    item.refresh_from_db()
    assert (item.state, item.missing) == ("settled", 0)
    assert item.probability > 0.9
    for change in (item.humming.history.last(), item.history.last()):
        assert (change.person, bool(change.why)) == (roger.person, True)
    assert [(c.before, c.after) for c in item.humming.history] == [("checked", "accepted")]
    assert [(c.before, c.after) for c in item.history] == [("waiting", "settled")]


def test_a_split_asks_a_third(rita: Desk, roger: Desk):
    item = hum_to_check()
    rita.accept(item)
    roger.reject(item, "off_time")
    Desk("ruth").accept(item)
    assert state_of(item) == Humming.State.ACCEPTED


def test_who_never_agree_are_left_to_an_admin():
    """Reviewers whose word is worth little, alternating: after five the item is disputed, and asked of nobody else."""
    item = hum_to_check()
    for number, accepts in enumerate([True, False, True, False, True]):
        desk = Desk(f"doubtful {number}")
        weak = {"accepts_good": 0.55, "rejects_bad": 0.55, "measured_at": timezone.now()}
        Reviewer.objects.filter(pk=Reviewer.of(desk.person).pk).update(**weak)
        (desk.accept if accepts else desk.reject)(item)
    item.refresh_from_db()
    assert item.state == item.State.DISPUTED
    assert state_of(item) == Humming.State.CHECKED
    assert Desk("ruth").next()["item"] is None


def test_a_proven_reviewer_weighs_more_than_two_weak_ones():
    item = hum_to_check()
    for name, good, accepts in (("weak one", 0.6, True), ("sure one", 0.98, False), ("weak two", 0.6, True)):
        desk = Desk(name)
        sure = {"accepts_good": good, "rejects_bad": good, "measured_at": timezone.now()}
        Reviewer.objects.filter(pk=Reviewer.of(desk.person).pk).update(**sure)
        (desk.accept if accepts else desk.reject)(item)
    item.refresh_from_db()
    assert item.state == item.State.WAITING, "the majority stands against the weighted verdicts, so another is asked"
    assert item.probability < 0.5


def test_rejecting_frees_the_slot_and_keeps_the_take(rita: Desk, one_settles):
    item = hum_to_check()
    rita.reject(item, "wrong_tune")
    assert state_of(item) == Humming.State.REJECTED
    assert not Slot.objects.filter(humming=item.humming).exists()
    assert item.humming.audio.size > 0


def test_the_machines_proposal_and_the_reviewers_values_are_both_kept(rita: Desk):
    item = hum_to_check()
    rita.next()
    rita.judge(item, nudge_s=0.05, trim_start_s=0.2, trim_end_s=0.1, heard_s=6.5, took_s=8.0)
    verdict = Verdict.objects.get()
    assert verdict.proposed_offset_s == item.humming.check_result.offset_s == 0.25
    assert (verdict.nudge_s, verdict.trim_start_s, verdict.trim_end_s) == (0.05, 0.2, 0.1)
    assert verdict.offset_s == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("sent", "hint"),
    [
        ({"decision": "reject"}, "one of the reasons"),
        ({"decision": "reject", "reason": "other"}, "in words"),
        ({"decision": "reject", "reason": "ugly"}, "reason"),
        ({"decision": "reject", "reason": "medley"}, "no reason against a hum"),
        ({"decision": "maybe"}, "decision"),
        ({"decision": "accept", "nudge_s": 99}, "nudge_s"),
        ({"decision": "accept", "heard_s": 0}, "Listen to it"),
        ({"decision": "accept", "trim_start_s": 3, "trim_end_s": 3}, "Nothing would be left"),
        ({"decision": "accept", "trim_end_s": -1}, "trim_end_s"),
    ],
)
def test_an_odd_verdict_is_refused_in_words_and_changes_nothing(rita: Desk, sent, hint):
    item = hum_to_check()
    rita.next()
    answer = rita.judge(item, **sent)
    assert answer.status_code == 400
    assert hint in answer.json()["error"]
    assert not Verdict.objects.exists()


def test_a_verdict_without_the_lease_is_refused(rita: Desk):
    item = hum_to_check()
    assert rita.judge(item).json()["code"] == "lease_over"
    rita.next()
    ReviewItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert rita.judge(item).status_code == 409
    assert not Verdict.objects.exists()


def test_the_same_verdict_sent_twice_is_one(rita: Desk):
    item = hum_to_check()
    rita.next()
    assert rita.judge(item).status_code == 200
    assert rita.judge(item).status_code == 409
    assert Verdict.objects.count() == 1


def test_a_reason_goes_with_a_rejection_only(rita: Desk):
    item = hum_to_check()
    rita.next()
    rita.judge(item, reason="noise")
    assert Verdict.objects.get().reason == ""


# ---------------------------------------------------------------- taking back


def test_a_verdict_can_be_taken_back_and_given_again(rita: Desk, one_settles):
    item = hum_to_check()
    verdict = rita.reject(item)["verdict"]
    assert rita.undo(verdict).json()["item"]["id"] == str(item.pk)
    assert state_of(item) == Humming.State.CHECKED
    assert Slot.objects.get(humming=item.humming)
    rita.judge(item)
    assert state_of(item) == Humming.State.ACCEPTED
    kept = [(verdict.decision, verdict.undone_at is None) for verdict in Verdict.objects.order_by("pk")]
    assert kept == [("reject", False), ("accept", True)], "every step stays a row"
    assert [change.after for change in item.humming.history] == ["rejected", "checked", "accepted"]


def test_undo_for_ten_seconds_and_until_it_is_settled(rita: Desk, roger: Desk):
    item = hum_to_check()
    first = rita.accept(item)["verdict"]
    Verdict.objects.update(at=timezone.now() - timedelta(days=3))
    assert rita.undo(first).status_code == 200, "nothing is settled yet"
    rita.judge(item)
    second = roger.accept(item)["verdict"]
    Verdict.objects.update(at=timezone.now() - timedelta(minutes=1))
    answer = roger.undo(second)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_late")
    assert "settled" in answer.json()["error"]


def test_taking_back_one_of_two_opens_the_item_again(rita: Desk, roger: Desk):
    item = hum_to_check()
    rita.accept(item)
    verdict = roger.accept(item)["verdict"]
    assert roger.undo(verdict).status_code == 200
    item.refresh_from_db()
    assert (item.state, item.missing, item.settled_at) == ("waiting", 1, None)
    assert state_of(item) == Humming.State.CHECKED


def test_another_persons_verdict_cannot_be_taken_back(rita: Desk, roger: Desk):
    verdict = rita.accept(hum_to_check())["verdict"]
    assert roger.undo(verdict).status_code == 404


def test_a_verdict_on_a_take_that_was_withdrawn_cannot_be_taken_back(rita: Desk):
    item = hum_to_check()
    verdict = rita.accept(item)["verdict"]
    taking.withdraw(item.humming, item.humming.singer)
    assert rita.undo(verdict).status_code == 409


def test_the_last_verdicts_say_what_can_be_taken_back(rita: Desk, roger: Desk):
    settled, open_one = hum_to_check(), hum_to_check()
    for desk in (rita, roger):
        for item in (settled, open_one) if desk is rita else (settled,):
            item.refresh_from_db()
            item.lease(desk.person)
            desk.judge(item, "reject", reason="other", words="A dog barks")
    Verdict.objects.update(at=timezone.now() - timedelta(minutes=1))
    listed = rita.get("/api/review/verdicts").json()["verdicts"]
    assert {one["item"]: one["may_be_undone"] for one in listed} == {str(settled.pk): False, str(open_one.pk): True}
    assert {one["why"] for one in listed} == {"A dog barks"}


# ---------------------------------------------------------------- overruling


def test_an_admin_overrules_and_it_stands_whatever_the_verdicts_say(rita: Desk, roger: Desk):
    item = hum_to_check()
    rita.accept(item)
    roger.accept(item)
    admin = factories.make_person("ada", is_staff=True)
    item.overrule(admin, "reject", "A dog hums along.")
    assert state_of(item) == Humming.State.REJECTED
    assert not Slot.objects.filter(humming=item.humming).exists()
    change = item.humming.history.last()
    assert (change.person, change.before, change.after) == (admin, "accepted", "rejected")
    assert "A dog hums along." in change.why
    Verdict.objects.first().discount("It was given in haste.")
    assert state_of(item) == Humming.State.REJECTED
    item.overrule(admin, "accept", "It does not.")
    assert state_of(item) == Humming.State.ACCEPTED
    assert Slot.objects.filter(humming=item.humming).exists()


# ---------------------------------------------------------------- control items


def test_practice_comes_first_and_is_explained(rita: Desk):
    hum_to_check()
    control = make_control("shifted", shift_ms=500)
    answer = rita.next()
    assert answer["item"]["id"] == str(control.pk)
    assert "Practice" in answer["standing"]["words"]
    told = rita.judge(control).json()
    assert told["practice"] == {"right": False, "expected": "reject", "words": told["practice"]["words"]}
    assert "500 ms" in told["practice"]["words"]
    answer = rita.undo(told["verdict"])
    assert answer.status_code == 409, "who was told the answer cannot give another"
    assert "practice" in answer.json()["error"]


def test_a_control_item_looks_like_any_other(rita: Desk):
    """Names, kinds and addresses tell nothing, nor does the list of the last verdicts once there is silence."""
    real, control = hum_to_check(), make_control("shifted", shift_ms=500)
    Reviewer.objects.filter(pk=Reviewer.of(rita.person).pk).update(state=Reviewer.State.TRUSTED)
    shown, answers = {}, []
    for item in (real, control):
        item.lease(rita.person)
        shown[item.pk] = rita.next()["item"]
        for side in ("original", "version"):
            sound = rita.get(shown[item.pk][side]["audio_url"])
            assert (sound.status_code, sound["Content-Type"]) == (200, "audio/flac")
            assert rita.get(shown[item.pk][side]["curve_url"]).status_code == 200
        told = rita.judge(item, "reject", reason="off_time").json()
        assert told["practice"] is None
        answers.append(told.keys())
    assert answers[0] == answers[1]
    assert shown[real.pk].keys() == shown[control.pk].keys()
    assert shown[real.pk]["version"].keys() == shown[control.pk]["version"].keys()
    listed = rita.get("/api/review/verdicts").json()["verdicts"]
    told_apart = [{k: one[k] for k in ("kind", "practice", "may_be_undone", "counts")} for one in listed]
    assert told_apart[0] == told_apart[1]


def test_in_the_list_control_items_settle_sooner_or_later_as_others_do(rita: Desk):
    Reviewer.objects.filter(pk=Reviewer.of(rita.person).pk).update(state=Reviewer.State.TRUSTED)
    controls = [make_control() for _ in range(12)]
    Verdict.objects.bulk_create([Verdict(item=item, person=rita.person, decision="accept") for item in controls])
    Verdict.objects.update(at=timezone.now() - timedelta(minutes=5))
    listed = rita.get("/api/review/verdicts").json()["verdicts"]
    assert {(one["state"], one["may_be_undone"]) for one in listed} == {("settled", False), ("waits for others", True)}
    Verdict.objects.update(at=timezone.now() - timedelta(days=3))
    listed = rita.get("/api/review/verdicts").json()["verdicts"]
    assert {(one["state"], one["may_be_undone"]) for one in listed} == {("settled", False)}


def test_a_control_items_likeness_fits_where_it_stands(rita: Desk, monkeypatch):
    """Real items come in rising likeness; one that breaks the order would be known."""
    Reviewer.objects.filter(pk=Reviewer.of(rita.person).pk).update(state=Reviewer.State.TRUSTED)
    monkeypatch.setattr("annotation.double_check.claims.probability_of_gold", lambda right, wrong: 0.5)
    for number in range(8):
        ReviewItem.objects.filter(pk=hum_to_check().pk).update(sureness=0.5 + 0.05 * number)
        make_control()
    likenesses = []
    while item := rita.next()["item"]:
        likenesses.append(item["similarity"])
        rita.judge(item["id"])
        if not ReviewItem.objects.for_person(rita.person).exists():
            break
    assert len(likenesses) > 8
    real = HumCheck.objects.values_list("similarity", flat=True).first()
    shown = [likeness for likeness in likenesses if likeness != real]
    assert shown == sorted(shown)
    assert all(0.47 < likeness <= 0.85 for likeness in shown)


def test_a_pair_that_was_judged_does_not_come_again_as_a_control_item(rita: Desk, one_settles):
    item = hum_to_check()
    rita.accept(item)
    make_control("cut", source=item.humming)
    assert rita.next()["item"] is None


def test_the_server_knows_how_long_an_item_was_on_the_desk(rita: Desk):
    item = hum_to_check()
    rita.next()
    rita.judge(item, heard_s=60, took_s=90)
    verdict = Verdict.objects.get()
    assert max(verdict.heard_s, verdict.took_s) < 30
    rita.undo(verdict.pk)
    ReviewItem.objects.update(leased_at=timezone.now() - timedelta(minutes=1))
    rita.judge(item, heard_s=20, took_s=25)
    assert Verdict.objects.standing().get().took_s == pytest.approx(25 + verdict.took_s)


def test_nobody_hears_what_was_taken_back_or_is_down(rita: Desk, one_settles):
    item = hum_to_check()
    control = make_control(source=factories.make_humming())
    for one in (item, control):
        one.lease(rita.person)
        rita.judge(one)
    sound = "/api/review/{}/version/audio"
    assert rita.get(sound.format(item.pk)).status_code == rita.get(sound.format(control.pk)).status_code == 200
    taking.withdraw(control.control.humming, control.control.humming.singer)
    assert rita.get(sound.format(control.pk)).status_code == 404
    Song.objects.update(taken_down_at=timezone.now())
    assert rita.get(sound.format(item.pk)).status_code == 404


def test_a_spare_take_that_comes_into_a_slot_is_spare_no_more():
    """Else it would be moved into a second slot when the next one is freed."""
    fragment = factories.make_fragment()
    first, second = hum_to_check(fragment=fragment), hum_to_check(fragment=fragment)
    Slot.objects.filter(humming=None).delete()
    spare = ReviewItem.ask_about(factories.make_humming(fragment, state=Humming.State.CHECKED, surplus=True))
    admin = factories.make_person("ada", is_staff=True)
    spare.overrule(admin, "reject", "Noise.")
    first.overrule(admin, "reject", "Noise.")
    spare.overrule(admin, "accept", "No noise.")
    spare.humming.refresh_from_db()
    assert (spare.humming.surplus, spare.humming.slot.fragment) == (False, fragment)
    taking.withdraw(second.humming, second.humming.singer)
    assert Slot.objects.filter(humming=spare.humming).count() == 1


def test_who_judges_control_items_well_is_trusted_and_then_sees_few(rita: Desk):
    practise_well(rita)
    assert Reviewer.of(rita.person).history.last().after == Reviewer.State.TRUSTED
    assert "That went well" in rita.next()["standing"]["words"]
    Reviewer.objects.update(changed_at=timezone.now() - timedelta(hours=1))
    assert rita.next()["standing"] == {"state": "trusted", "words": ""}


def test_a_control_item_comes_once_and_never_of_an_own_take(rita: Desk):
    make_control(source=factories.make_humming(singer=rita.person))
    assert rita.next()["item"] is None
    control = make_control()
    rita.next()
    rita.judge(control)
    assert rita.next()["item"] is None


def test_control_items_can_be_switched_off(rita: Desk, settings):
    settings.CONTROL_ITEMS = False
    make_control()
    assert rita.next()["item"] is None


def practise_well(desk: Desk) -> None:
    """Judges control items as they are until the platform trusts the person."""
    for number in range(24):
        if Reviewer.of(desk.person).state == Reviewer.State.TRUSTED:
            return
        control = make_control("cut" if number % 2 else "as_is")
        control.lease(desk.person)
        told = desk.judge(control, "reject", reason="cut_off") if number % 2 else desk.judge(control)
        assert told.json()["practice"]["right"]
    raise AssertionError("24 right answers are not enough")


def fall_under_the_bar(desk: Desk) -> Reviewer:
    reviewer = Reviewer.of(desk.person)
    for _ in range(20):
        if reviewer.state == Reviewer.State.SET_ASIDE:
            break
        control = make_control("cut")
        control.lease(desk.person)
        desk.judge(control)
        reviewer.refresh_from_db()
    assert reviewer.state == Reviewer.State.SET_ASIDE
    return reviewer


def test_falling_under_the_bar_puts_the_recent_verdicts_back(rita: Desk, roger: Desk):
    Reviewer.objects.filter(pk=Reviewer.of(rita.person).pk).update(state=Reviewer.State.TRUSTED)
    old, missed, item = hum_to_check(), make_control("cut"), hum_to_check()
    for one in (old, missed, item):
        one.lease(rita.person)
        rita.judge(one)
    Verdict.objects.filter(item=old).update(at=timezone.now() - timedelta(days=30))
    for one in (old, item):
        one.lease(roger.person)
        roger.judge(one)
    reviewer = fall_under_the_bar(rita)
    assert list(Reviewer.objects.with_verdicts_to_put_back()) == [reviewer]
    assert reviewer.put_back_recent() == 1
    assert reviewer.put_back_recent() == 0, "safe to run twice"
    for one in (old, item):
        one.refresh_from_db()
    assert (old.state, item.state) == ("settled", "waiting"), "what was judged long before still stands"
    assert state_of(item) == Humming.State.CHECKED
    assert "asked anew" in rita.next()["standing"]["words"]


def test_who_is_trusted_again_before_it_was_done_has_the_doubted_verdicts_put_back_all_the_same(rita: Desk):
    Reviewer.objects.filter(pk=Reviewer.of(rita.person).pk).update(state=Reviewer.State.TRUSTED)
    doubted = [make_control("cut"), hum_to_check()]
    for item in doubted:
        item.lease(rita.person)
        rita.judge(item)
    fall_under_the_bar(rita)
    practise_well(rita)
    later = hum_to_check()
    later.lease(rita.person)
    rita.judge(later)
    reviewer = Reviewer.of(rita.person)
    assert reviewer.state == Reviewer.State.TRUSTED
    assert reviewer.put_back_recent() == 1
    assert [verdict.item for verdict in Verdict.objects.counted()] == [later]


def test_who_is_set_aside_goes_on_and_nothing_of_it_counts_until_it_goes_well(rita: Desk, roger: Desk):
    fall_under_the_bar(rita)
    item = hum_to_check()
    item.lease(rita.person)
    rita.judge(item)
    verdict = Verdict.objects.get(item=item)
    assert (verdict.counts, bool(verdict.why_not)) == (False, True)
    item.refresh_from_db()
    assert item.missing == 2
    practise_well(rita)
    second = hum_to_check()
    second.lease(rita.person)
    rita.judge(second)
    assert Verdict.objects.get(item=second).counts
