"""A singer's own takes: every state in words, help where a take was not taken, and withdrawing after a question."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, expect

from annotation import take_words
from annotation.models import ReviewItem
from annotation.models.verdicts import Decision, Reason
from annotation.views.pages import TAKES_A_PAGE
from recordings.models import Humming
from recordings.tests import factories


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")
    settings.VERDICTS_TO_SETTLE = 1


@pytest.fixture
def alice(db):
    return factories.make_person("alice")


@pytest.fixture
def page(alice) -> Callable[..., str]:
    client = Client()
    client.force_login(alice)
    return lambda **query: client.get("/takes/", query).content.decode()


def words_of(take: Humming) -> take_words.TakeInWords:
    return take_words.in_words(take_words.takes_of(take.singer).filter(pk=take.pk))[0]


def judged(take: Humming, reason: str, words: str = "") -> Humming:
    """The take, rejected by a reviewer."""
    item = ReviewItem.ask_about(take)
    reviewer = factories.make_person(f"reviewer-{take.pk}")
    item.judge(reviewer, Decision.REJECT, reason=reason, words=words)
    take.refresh_from_db()
    return take


def test_a_phrase_that_was_hummed_well_meanwhile_is_not_offered_again(alice):
    refused = factories.make_humming(None, alice, Humming.State.REFUSED)
    assert words_of(refused).may_try_again
    factories.make_humming(refused.fragment, alice, Humming.State.CHECKED)
    assert not words_of(refused).may_try_again


def test_numbers_in_sentences_are_rounded():
    reason = {"code": "cut_off", "message": "%(heard)s of %(all)s", "values": {"heard": 2.672, "all": 7.568}}
    assert take_words.sentence_of(reason) == "2.7 of 7.6"


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("saved", "waiting", "waiting for the check"),
        ("checked", "waiting", "waiting for the double-check"),
        ("accepted", "good", "accepted"),
        ("refused", "bad", "not taken by the check"),
        ("rejected", "bad", "not taken in the double-check"),
        ("withdrawn", "gone", "withdrawn"),
    ],
)
def test_every_state_is_told_in_words(alice, page, state, kind, words):
    take = factories.make_humming(singer=alice, state=state, check=state != "saved")
    told = words_of(take)
    assert (told.kind, told.state) == (kind, words)
    assert words in page()
    assert ("data-withdraw=" in page()) == (state != "withdrawn")


def test_every_state_there_is_has_its_words():
    told = {take_words.state_of(Humming(state=state))[1] for state in Humming.State}
    assert len(told) == len(Humming.State)


def test_a_take_that_the_check_refused_says_why_and_may_be_hummed_again(alice, page):
    take = factories.make_humming(singer=alice, state=Humming.State.REFUSED)
    take.check_result.reasons = [{"code": "too_quiet", "sentence": "You are very quiet.", "fatal": True}]
    take.check_result.save()
    assert words_of(take).sentences == ["You are very quiet."]
    assert f"/hum/?fragment={take.fragment_id}" in page()
    take.fragment.retire()
    assert not words_of(take).may_try_again


def test_a_content_check_may_still_have_a_tip(alice, page):
    take = factories.make_humming(singer=alice, state=Humming.State.CHECKED)
    take.check_result.reasons = [{"code": "noise", "sentence": "There is some noise around you.", "fatal": False}]
    take.check_result.save()
    assert words_of(take).tips == ["There is some noise around you."]
    assert "There is some noise around you." in page()


def test_a_rejected_take_gets_help_not_a_code(alice, page):
    take = judged(factories.make_humming(singer=alice, state=Humming.State.CHECKED), Reason.WORDS)
    assert words_of(take).sentences == ["There are words in it. Hum on “mm” or “da” instead."]
    assert "There are words in it." in page()


def test_the_reviewers_own_words_are_passed_on_as_text(alice, page):
    take = factories.make_humming(singer=alice, state=Humming.State.CHECKED)
    judged(take, Reason.OTHER, "The last note is <b>missing</b>.")
    assert "“The last note is &lt;b&gt;missing&lt;/b&gt;.”" in page()


def test_every_reason_for_hums_has_help():
    assert set(take_words.HELP) == set(Reason.of_kind("hum")) - {Reason.OTHER}


def test_a_verdict_that_was_taken_back_says_nothing(alice):
    take = judged(factories.make_humming(singer=alice, state=Humming.State.CHECKED), Reason.NOISE)
    verdict = take.review.verdicts.get()
    verdict.undo(verdict.person)
    take.refresh_from_db()
    assert words_of(take).state == "waiting for the double-check"
    assert take_words.verdicts_in_words(take) == []


def test_a_spare_is_told_to_be_one(alice):
    assert take_words.SPARE in words_of(factories.make_humming(singer=alice, surplus=True)).sentences


def test_a_singer_sees_own_takes_alone_and_their_count(alice, page):
    song = factories.make_song("Ode to Joy")
    factories.make_humming(factories.make_fragment(factories.make_recording(song)), state=Humming.State.ACCEPTED)
    assert "You have not hummed anything yet." in page()
    factories.make_humming(singer=alice)
    assert "Ode to Joy" not in page()
    assert "<dt>accepted</dt><dd>1</dd>" in page()


def test_many_takes_are_shown_page_by_page(alice, page):
    recording = factories.make_recording(seconds=30)
    for number in range(TAKES_A_PAGE + 1):
        factories.make_humming(factories.make_fragment(recording, number / 4, number / 4 + 5), alice, check=False)
    assert page().count('class="take"') == TAKES_A_PAGE
    assert page(page=2).count('class="take"') == 1


def test_the_page_asks_the_database_the_same_number_of_times_for_many_takes(alice, django_assert_max_num_queries):
    client = Client()
    client.force_login(alice)
    for _ in range(6):
        judged(factories.make_humming(singer=alice, state=Humming.State.CHECKED), Reason.NOISE)
    with django_assert_max_num_queries(14):
        client.get("/takes/")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_take_is_withdrawn_only_after_a_question(
    live_server, chromium_with_microphone: Callable[..., BrowserContext]
):
    alice = factories.make_person("alice")
    take = factories.make_humming(singer=alice, state=Humming.State.CHECKED)
    factories.make_analysis(take.fragment.recording)
    client = Client()
    client.force_login(alice)
    context = chromium_with_microphone(width=360, height=740, base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    shown = context.new_page()
    troubles: list[str] = []
    shown.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    shown.goto("/takes/")
    expect(shown.get_by_role("img")).to_have_attribute("aria-label", re.compile("The melody: .* Your voice, in .*"))
    shown.get_by_role("button", name="Withdraw").click()
    expect(shown.get_by_role("button", name="Keep it")).to_be_focused()
    shown.keyboard.press("Enter")
    take.refresh_from_db()
    assert take.state == Humming.State.CHECKED
    shown.get_by_role("button", name="Withdraw").click()
    shown.get_by_role("button", name="Withdraw it").click()
    expect(shown.get_by_text("You took it back.")).to_be_visible()
    take.refresh_from_db()
    assert take.state == Humming.State.WITHDRAWN
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
    assert troubles == []
