"""What the double-check and the singers know of released versions, as a release tells it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from annotation.models import AboutSinger, Consent, Participation, Report, ReviewItem, Study, Verdict
from annotation.models.consent import CONSENT_TEXT, CONSENT_VERSION
from annotation.released_facts import CrowdFacts
from annotation.tests.desks import Desk, hum_to_check
from recordings.models import CoverFragment
from recordings.release.frozen import crowd
from recordings.release.tables import JUDGED, VERSIONS_COLUMNS
from recordings.tests import factories

pytestmark = pytest.mark.django_db

FACTS = CrowdFacts()


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


def judged_hum(*decisions: str) -> ReviewItem:
    item = hum_to_check()
    for decision in decisions:
        say(item, decision)
    item.refresh_from_db()
    return item


def say(item: ReviewItem, decision: str) -> Desk:
    desk = Desk(f"judge-{uuid.uuid4().hex[:6]}")
    item.lease(desk.person)
    more = {} if decision == "accept" else {"reason": "other", "words": "No."}
    assert desk.judge(item, decision, **more).status_code == 200
    return desk


def of_hum(item: ReviewItem) -> dict[str, str]:
    return FACTS.of_hums([item.humming_id])[item.humming_id]


def of_cover(cover: CoverFragment) -> dict[str, str]:
    return FACTS.of_covers([cover.pk])[cover.pk]


def columns(**values: str) -> dict[str, str]:
    return dict.fromkeys(JUDGED, "") | values


def test_a_hum_that_people_accepted():
    item = judged_hum("accept", "accept")
    assert item.probability > 0.9
    told = of_hum(item)
    assert told == columns(
        verdicts_for="2", verdicts_against="0", agreement="1.0", decided_by="people", probability=told["probability"]
    )
    assert float(told["probability"]) == pytest.approx(item.probability, abs=1e-6)


def test_agreement_is_the_share_that_says_what_was_decided():
    assert of_hum(judged_hum("accept", "reject", "accept"))["agreement"] == "0.666667"


def test_verdicts_that_do_not_count_or_were_taken_back_are_not_told():
    item = judged_hum(
        "accept",
        "accept",
    )
    say_so = Verdict.objects.filter(item=item)
    Verdict.objects.create(item=item, person=factories.make_person("x"), decision="reject", counts=False)
    Verdict.objects.create(item=item, person=factories.make_person("y"), decision="reject", undone_at=timezone.now())
    assert say_so.count() == 4
    assert (of_hum(item)["verdicts_for"], of_hum(item)["verdicts_against"]) == ("2", "0")


def test_an_admins_word_is_told_as_an_admins():
    item = judged_hum("reject", "reject")
    item.overrule(factories.make_person("admin", is_staff=True), "accept", "I know it.")
    told = of_hum(item)
    assert (told["decided_by"], told["verdicts_against"], told["agreement"]) == ("admin", "2", "0.0")


def test_what_nobody_judged_has_no_agreement():
    item = judged_hum()
    item.overrule(factories.make_person("admin", is_staff=True), "accept", "I know it.")
    assert of_hum(item) == columns(verdicts_for="0", verdicts_against="0", decided_by="admin")


def test_a_hum_without_an_item_is_left_out():
    assert FACTS.of_hums([factories.make_humming().pk, uuid.uuid4()]) == {}


def test_a_matched_cover_is_the_machines_and_has_nothing_to_count():
    assert of_cover(factories.make_cover_fragment()) == columns(decided_by="machine")


def test_a_matched_cover_that_people_are_asked_about_is_the_machines_until_they_settle():
    cover = factories.make_cover_fragment()
    for recording in (cover.recording, cover.fragment.recording):
        factories.make_analysis(recording)
    item = ReviewItem.ask_about(cover)
    assert of_cover(cover) == columns(decided_by="machine")
    item.ask_anew(None, "Reported.")
    say(item, "accept")
    told = of_cover(cover)
    assert (told["decided_by"], told["verdicts_for"], told["agreement"]) == ("machine", "1", "1.0")
    say(item, "accept")
    told = of_cover(cover)
    assert (told["decided_by"], told["verdicts_for"]) == ("people", "2")


def test_every_value_fits_its_column():
    items = [judged_hum("accept", "accept"), judged_hum("accept", "reject", "accept"), judged_hum("reject", "reject")]
    covers = [factories.make_cover_fragment(), factories.make_cover_fragment(state=CoverFragment.State.ACCEPTED)]
    told = FACTS.of_hums([item.humming_id for item in items]) | FACTS.of_covers([cover.pk for cover in covers])
    assert len(told) == 5
    for row in told.values():
        assert tuple(row) == JUDGED
        assert all(VERSIONS_COLUMNS[column].fits(value) for column, value in row.items())


def test_a_hundred_ids_cost_a_few_queries(django_assert_max_num_queries):
    hums = [judged_hum("accept").humming_id for _ in range(3)] + [uuid.uuid4() for _ in range(97)]
    covers = [factories.make_cover_fragment().pk for _ in range(3)] + [uuid.uuid4() for _ in range(97)]
    with django_assert_max_num_queries(3):
        assert len(FACTS.of_hums(hums)) == 3
        assert len(FACTS.of_covers(covers)) == 3


def test_ids_are_asked_for_in_parts(monkeypatch):
    items = [judged_hum("accept", "accept") for _ in range(3)]
    whole = FACTS.of_hums([item.humming_id for item in items])
    summary = FACTS.summary([item.humming_id for item in items], [])
    monkeypatch.setattr("annotation.released_facts.IDS_AT_ONCE", 2)
    assert FACTS.of_hums([item.humming_id for item in items]) == whole
    assert FACTS.summary([item.humming_id for item in items], []) == summary


def test_the_summary_is_of_what_the_release_holds():
    both, split = judged_hum("accept", "accept"), judged_hum("accept", "reject", "accept")
    elsewhere = judged_hum("reject", "reject")
    told = FACTS.summary([both.humming_id, split.humming_id], [])
    # By hand: of accept-accept and accept-reject-accept as much is apart as would be by chance.
    alpha = pytest.approx(0.0, abs=1e-12)
    assert told == {"reviewers": 5, "simulated_reviewers": 0, "verdicts": 5, "alpha": alpha, "needed": 2}
    assert FACTS.summary([elsewhere.humming_id], [])["alpha"] is None, "all say the same"
    nobody = {"reviewers": 0, "simulated_reviewers": 0, "verdicts": 0, "alpha": None, "needed": 2}
    assert FACTS.summary([], []) == nobody


def test_reviewers_that_are_a_program_are_told_apart():
    item = judged_hum("accept", "accept")
    program = Verdict.objects.filter(item=item).first().person
    program.groups.add(Group.objects.create(name="simulated"))
    told = FACTS.summary([item.humming_id], [])
    assert (told["reviewers"], told["simulated_reviewers"]) == (2, 1)


def test_the_consents_are_told_in_english_where_they_are_known_so():
    for number, (version, text) in enumerate(
        [("2026-01-01", "Alt."), ("2026-01-01", "Old."), ("2026-01-01", "Old."), (CONSENT_VERSION, "Auf Deutsch.")]
    ):
        Consent.objects.create(person=factories.make_person(f"p{number}"), version=version, text=text)
    assert FACTS.consents() == {"2026-01-01": "Old.", CONSENT_VERSION: str(CONSENT_TEXT)}


def test_singers_are_told_of_as_far_as_they_told():
    tells, silent, empty = (factories.make_person(name) for name in ("a", "b", "c"))
    AboutSinger.objects.create(person=tells, age_band="60-69")
    AboutSinger.objects.create(person=empty)
    people = [tells.pk, silent.pk, empty.pk]
    assert FACTS.about_singers(people) == {tells.pk: {"age_band": "60-69", "gender": "", "musical_training": ""}}


def test_reports_are_told_when_they_are_decided():
    now = timezone.now()
    facts: dict[str, Any] = {"fragment_id": uuid.uuid4(), "audio_type": "cover", "release": "1", "reason": "medley"}
    for state, days in (("open", None), ("kept", 1), ("removed", 3), ("void", 1)):
        decided_at = now - timedelta(days=days) if days else None
        Report.objects.create(version_id=uuid.uuid4(), state=state, decided_at=decided_at, **facts)
    assert [one["outcome"] for one in FACTS.reports_decided(now - timedelta(days=2), now)] == ["kept"]
    assert [one["outcome"] for one in FACTS.reports_decided(None, now)] == ["removed", "kept"]
    assert FACTS.open_reports() == 1


def test_names_are_those_of_people_and_of_what_platforms_call_them():
    person = factories.make_person("erika.m", first_name="Erika")
    study = Study.objects.create(name="Winter", kind=Study.Kind.HUM, platform=Study.Platform.PROLIFIC)
    Participation.objects.create(study=study, person=person, participant_id="5f3c", session_id="")
    assert {"erika.m", "erika.m@example.org", "Erika", "5f3c"} <= FACTS.names()
    assert "" not in FACTS.names()


def test_it_is_what_releases_ask_for():
    asked = {name for name in vars(crowd.Crowd) if not name.startswith("_")}
    assert asked
    assert asked <= {name for name in vars(CrowdFacts) if not name.startswith("_")}
