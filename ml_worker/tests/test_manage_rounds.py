"""The pages of rounds: what each step is said to have done, the figures round by round, and the poster's table."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from ml_worker import round_plots, round_words, rounds, rounds_page
from ml_worker.models import Job, Round, RoundStep
from ml_worker.tests.made_pages import make_round
from ml_worker.tests.manage import make_checkpoint

pytestmark = pytest.mark.django_db


def page(admin: Client, address: str = "/manage/rounds/") -> str:
    answer = admin.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_without_rounds_the_page_offers_the_first(admin: Client):
    told = page(admin)
    assert "Start the first round" in told
    assert "No round has come to its evaluation yet" in told
    assert "There has been none yet." in told
    assert "A round begins by itself after" in told


def test_the_schedule_is_told_as_it_is_set(admin: Client, settings):
    settings.ROUNDS_SCHEDULED = False
    assert "Rounds begin by hand alone" in page(admin)


def test_an_open_round_is_shown_with_its_steps_and_no_form(admin: Client):
    begun = rounds.start("Because.", kinds=["short", "long"], material="hums", initial="nothing", steps=2000)
    told = page(admin)
    assert 'data-live="now" data-live-open' in told
    assert "Stop the round" in told
    assert "start-form" not in told
    assert "Short and long networks, trained on hums alone, from nothing, 2,000 steps." in told
    assert "It waits for a worker." in told
    Job.objects.update(state="running", progress=0.5, message="Round 1: training")
    assert "Round 1: training" in page(admin, f"/manage/rounds/{begun.pk}/")


@pytest.mark.parametrize("state", [Round.State.STOPPED, Round.State.FAILED])
def test_an_interrupted_round_can_go_on_and_another_can_start(admin: Client, state: str):
    begun = Round.begin("Started by hand.")
    begun.interrupt(state, "The disk is full. Make room.")
    told = page(admin)
    assert f'data-act="/api/manage/rounds/{begun.pk}/go-on"' in told
    assert "The disk is full. Make room." in told
    assert "Start another" in told


def test_a_round_that_waits_for_people_can_go_on_without_them(admin: Client):
    step = Round.begin("Started by hand.").step("double_check")
    step.begin({})
    step.leave(RoundStep.State.PEOPLE, "3 of 10 findings wait for their verdicts in the double-check.")
    told = page(admin)
    assert "3 of 10 findings wait" in told
    assert "Go on without the rest of the verdicts" in told


def test_a_past_round_says_what_each_step_did(admin: Client):
    make_round(before=0.55)
    told = page(admin, f"/manage/rounds/{Round.objects.get().pk}/")
    for words in (
        "short-new: Promoted: nothing fell.",
        "12 accepted hums of 4 training songs; 3 newly accepted since the round before.",
        "Cover fragments: 7 matched.",
        "short-new was trained.",
        "The short network, beside short-old, goes on to the covers. On hums nothing fell.</p>",
        "2 of 2 songs mined: 30 sure and 4 doubtful findings.",
        "People were asked about 10 findings; all were judged.",
        "The short network, frozen benchmark, hums: MRR 0.600, top 1 0.600; MRR was 0.550, +0.050 "
        "(95 % from +0.030 to +0.070).",
        "30 sure findings, 4 min 0 s of sound; people judged 10 of them, 9 as right.",
        "short-new is promoted.",
        "50.0 s",
        "after 5 min 50 s of work.",
    ):
        assert words in told


def test_a_step_tells_what_it_has_done_so_far():
    """Outputs of a step that runs are incomplete, whatever the step."""
    begun = Round.begin("Started by hand.")
    partly = {
        "collect": {"by": "another"}, "train": {"checkpoints": {}}, "calibrate": {"kinds": {}},
        "mine": {"songs": ["a", "b", "c"], "mined": ["a"]}, "double_check": {"all_asked": True}, "evaluate": {},
        "decide": {},
    }  # fmt: skip
    for name, outputs in partly.items():
        RoundStep.objects.filter(round=begun, name=name).update(outputs=outputs)
    begun.refresh_from_db()
    told = {step["name"]: step["sentences"] for step in round_words.shown(begun)["steps"]}
    assert told.pop("mine") == ["1 of 3 songs mined."]
    assert set(map(tuple, told.values())) == {()}


def test_what_a_step_was_given_and_gave_is_there_to_read():
    made = make_round()
    by_name = {step["name"]: step for step in round_words.shown(made)["steps"]}
    assert json.loads(by_name["double_check"]["stored"]) == {
        "inputs": {"job": "a job"}, "outputs": {"asked": 10, "left": 0},
    }  # fmt: skip


def test_every_kind_of_step_has_words():
    assert set(round_words.SENTENCES) == set(RoundStep.Name.values)


def test_how_long_a_step_took_tells_work_from_waiting():
    step = {"duration_s": 12.0, "with_people_s": 7200.0, "attempts": 3, "cut_off": 1}
    told = round_words.time_in_words(step)
    assert told == "12.0 s; 2 h 0 min with people; 3 attempts, 1 of them cut off and not counted"
    before = {"duration_s": None, "with_people_s": None, "attempts": 0, "cut_off": 0}
    assert round_words.time_in_words(before) == ""


@given(st.floats(0.1, 1e6))
def test_a_duration_names_the_right_unit(seconds: float):
    told = round_words.duration(seconds)
    units = {"s": 1, "min": 60, "h": 3600, "days": 86400}
    parts = told.split()
    numbers = zip(parts[::2], parts[1::2], strict=True)
    named = sum(float(number) * units[unit] for number, unit in numbers)
    smallest = units[parts[-1]]
    assert abs(named - seconds) <= smallest


# --- figures round by round


def test_plots_have_a_line_for_all_that_is_known_and_a_table_that_says_the_same(admin: Client):
    for top1 in (0.6, 0.7):
        make_round(top1=top1)
    told = {plot.title: plot for plot in round_plots.plots(rounds_page.as_shown()["figures"])}
    assert list(told) == [
        "Hits at first place, short network", "Precision of what was found in covers", "Cover fragments found",
        "Share of self-made labels",
    ]  # fmt: skip
    rates = told["Hits at first place, short network"]
    assert [one.name for one in rates.series] == ["hums, frozen", "covers, frozen", "hums, unseen", "covers, unseen"]
    assert len({one.line for one in rates.series}) == 4, "lines differ"
    assert rates.rows == [(1, ["0.600", "0.300"] * 2), (2, ["0.700", "0.350"] * 2)]
    precision = told["Precision of what was found in covers"]
    assert [one.name for one in precision.series] == ["by people", "by the truth, trained on"], "where there is truth"
    assert precision.rows[0] == (1, ["0.900", "0.980"])
    assert told["Cover fragments found"].rows[1] == (2, ["30", "4"])
    assert json.loads(told["Share of self-made labels"].plotted_json)["series"] == [
        {
            "name": "short network",
            "className": "plot__line--first",
            "points": [[1, 0.25, "short network 0.250"], [2, 0.25, "short network 0.250"]],
        }
    ]
    assert page(admin).count("The same as a table") == 4


def test_a_round_that_did_not_mine_found_neither_much_nor_little():
    made = make_round("refused")
    made.steps.filter(name="mine").update(state="skipped")
    figures = rounds_page.figures_of(Round.objects.get())
    assert round_plots.found([figures]).rows == [(made.number, [])]
    assert round_plots.found([figures, figures | {"sure": 3, "doubtful": 0}]).rows[0][1] == ["–", "–"]


def test_a_round_without_a_value_leaves_a_gap():
    figures = [rounds_page.figures_of(make_round()) | {"precision": None}, rounds_page.figures_of(make_round())]
    by_people = round_plots.precision(figures)
    assert [row[1][0] for row in by_people.rows] == ["–", "0.900"]
    points = json.loads(by_people.plotted_json)["series"][0]["points"]
    assert [number for number, _, _ in points] == [2]


# --- the poster's table


def test_the_posters_table_tells_what_was_measured_and_how(admin: Client):
    rates = {"top1": 0.5, "top3": 0.6, "top5": 0.7, "top10": 0.8, "top100": 0.9, "mrr": 0.55}
    looks = {"hums": {"rates": rates}, "covers": {"rates": rates}}
    make_checkpoint(figures={"material": {"material": "both"}}, frozen={"looks": looks})
    told = page(admin)
    assert told.count("0.800") == 2
    assert told.count("not measured</span>") == 8 * 8
    for material in ("hums", "covers", "both"):
        for kinds in ("short", "long", "short long"):
            assert f"manage.py round --kinds {kinds} --material {material} --from nothing" in told
    assert 'measured of <span class="mono">short-0123456789ab' in told


def test_the_chain_and_every_page_of_managing_lead_to_the_rounds(admin: Client):
    assert page(admin, "/manage/").count('href="/manage/rounds/"') == 2
    assert 'href="/manage/rounds/"' in page(admin, "/manage/jobs/")
