"""Control items: made of accepted pairs, really spoiled or really good, the same each time, and retired in time."""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
import soundfile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from annotation.double_check import control_items, desk
from annotation.models import Control, PassedOver, Reviewer, ReviewItem, Verdict
from annotation.models.verdicts import Reason
from annotation.taking import withdraw
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.judging import judge_hum, judge_melody, spoiling
from ml_worker.judging.curves import FINE_HOP_S, curve
from ml_worker.models import Job
from ml_worker.running import run_here
from ml_worker.tests import made_rows
from ml_worker.work import controls
from ml_worker.work.control_faults import CLEAR, SPOILED, Fault, Pair, Shown, as_curve, heard
from recordings import media
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db

KINDS = [made_rows.sung_hum, made_rows.sung_cover]


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def fragments() -> list:
    return [made_rows.sung_song(seed) for seed in range(1, 4)]


def shown(source, fault: str) -> Shown:
    made = Pair(source).with_fault(fault, controls.others)
    assert made is not None
    return made


def reference_of(made: Shown):
    return spoiling.as_melody(made.original)


def make() -> Job:
    job = run_here(Job.Kind.CONTROLS)
    assert job.state == Job.State.DONE, job.failure
    return job


# --- the faults


@pytest.mark.parametrize("pair_of", KINDS)
def test_as_it_is_is_near_and_every_fault_is_far(fragments, pair_of):
    source = pair_of(fragments[0])
    good = shown(source, Fault.AS_IS)
    assert good.in_step >= CLEAR
    assert good.sound is None, "its sound is the source's own"
    for fault in (Fault.SHIFTED, Fault.SWAPPED, Fault.TRANSPOSED, Fault.CUT):
        assert shown(source, fault).in_step <= SPOILED * good.in_step, fault


def test_the_judge_of_hums_is_of_the_same_mind(fragments):
    """On the sound, where the sound was changed, with the project's own check."""
    hum = made_rows.sung_hum(fragments[0])
    reference = reference_of(shown(hum, Fault.AS_IS))
    assert judge_hum(heard(hum), reference).ok
    cut = judge_hum(shown(hum, Fault.CUT).sound, reference)
    assert "cut_off" in [reason.code for reason in cut.reasons]
    transposed = judge_hum(shown(hum, Fault.TRANSPOSED).sound, reference)
    assert not transposed.ok
    assert transposed.similarity < spoiling.ANOTHER_TUNE
    swapped = shown(hum, Fault.SWAPPED)
    other = judge_melody(spoiling.as_melody(swapped.pitch), reference_of(swapped))
    assert "wrong_tune" in [reason.code for reason in other.reasons]


def test_a_shifted_hum_is_shifted_in_data_alone(fragments):
    hum = made_rows.sung_hum(fragments[0])
    made = shown(hum, Fault.SHIFTED)
    shift_s = made.facts["shift_ms"] / 1000
    assert 0.35 <= abs(shift_s) <= 0.7
    assert made.sound is None
    assert made.offset_s == pytest.approx(made_rows.OFFSET_S + shift_s)


def test_a_shifted_cover_is_another_interval_shown_from_its_start(fragments):
    """Covers are always shown from their start: an offset would give it away."""
    cover = made_rows.sung_cover(fragments[0])
    made = shown(cover, Fault.SHIFTED)
    assert made.offset_s == 0.0
    start_s = cover.start_s + made.facts["shift_ms"] / 1000
    data = media.cut_flac(cover.recording.audio, start_s, start_s + made.duration_s)
    moved, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert np.array_equal(made.sound.mono(), moved)
    assert made.duration_s == pytest.approx(cover.end_s - cover.start_s)


def test_a_swapped_one_shows_another_song_in_the_place_and_key_of_its_own(fragments):
    hum = made_rows.sung_hum(fragments[0])
    made = shown(hum, Fault.SWAPPED)
    assert made.fragment.song != hum.fragment.song
    assert made.phrase_s == pytest.approx(shown(hum, Fault.AS_IS).phrase_s)
    apart = spoiling.interval(made.original, made.pitch, made.offset_s, made.tempo_ratio)
    assert made.transposition == pytest.approx(apart)
    assert np.array_equal(made.original, as_curve(media.fragment_curve(made.fragment)), equal_nan=True)


def test_nothing_is_swapped_at_a_pace_that_no_machine_proposes(fragments):
    hum = made_rows.sung_hum(fragments[0])
    other = fragments[1]
    assert Pair(hum).with_fault(Fault.SWAPPED, lambda own: iter([other])) is not None
    other.end_s = other.start_s + hum.fragment.duration_s / 1.5
    assert Pair(hum).with_fault(Fault.SWAPPED, lambda own: iter([other])) is None


def test_nothing_is_swapped_for_a_phrase_that_is_the_same_tune(fragments):
    """Another song's fragment with the very same melody, and nothing else there is."""
    hum = made_rows.sung_hum(fragments[0])
    twin = made_rows.sung_song(1)
    assert Pair(hum).with_fault(Fault.SWAPPED, lambda own: iter([twin])) is None


@pytest.mark.parametrize("pair_of", KINDS)
def test_transposed_within_the_sound_follows_the_curve_without_a_click(fragments, pair_of):
    source = pair_of(fragments[0])
    made, before = shown(source, Fault.TRANSPOSED), heard(source)
    at_s, semitones = made.facts["at_s"], made.facts["semitones"]
    assert 3 <= abs(semitones) <= 5
    assert made.second_of(0.4) - FINE_HOP_S <= at_s <= made.second_of(0.6) + FINE_HOP_S
    assert made.sound.frames == before.frames
    assert np.abs(made.sound.samples).max() <= spoiling.HIGHEST_PEAK

    tracked = curve(track_melody(made.sound))
    both = min(len(tracked), len(made.pitch))
    off = tracked[:both] - made.pitch[:both]
    for half in (off[: round(at_s / FINE_HOP_S) - 5], off[round(at_s / FINE_HOP_S) + 5 :]):
        half = half[~np.isnan(half)]
        assert len(half) > 50
        assert abs(np.median(half)) < 0.3

    kept = round(at_s * before.sample_rate) - 1
    assert np.array_equal(made.sound.samples[:, :kept], before.samples[:, :kept])
    assert loudest_step(made.sound, at_s) <= 1.2 * loudest_step(before)
    rest = made.sound.samples[:, kept:], before.samples[:, kept:]
    assert spoiling.loudness(rest[0]) == pytest.approx(spoiling.loudness(rest[1]), rel=0.1)


def loudest_step(sound: Sound, around_s: float | None = None) -> float:
    """The largest step from one sample to the next: what a click is."""
    if around_s is not None:
        sound = sound.cut(around_s - 0.1, around_s + 0.1)
    return float(np.abs(np.diff(sound.samples, axis=1)).max())


@pytest.mark.parametrize("pair_of", KINDS)
def test_cut_short_the_end_of_the_phrase_is_missing_and_fades_out(fragments, pair_of):
    source = pair_of(fragments[0])
    made, before = shown(source, Fault.CUT), heard(source)
    assert 0.35 <= made.facts["cut_s"] / made.phrase_s <= 0.51
    assert made.duration_s == pytest.approx(made.sound.duration_s, abs=1 / before.sample_rate)
    assert made.duration_s == pytest.approx(made.second_of(1.0) - made.facts["cut_s"], abs=0.01)
    assert len(made.pitch) * FINE_HOP_S == pytest.approx(made.duration_s, abs=2 * FINE_HOP_S)
    kept = made.sound.frames - round(0.05 * before.sample_rate)
    assert np.array_equal(made.sound.samples[:, :kept], before.samples[:, :kept])
    assert np.abs(made.sound.samples[:, -10:]).max() < 1e-3


@pytest.mark.parametrize("pair_of", KINDS)
def test_the_length_of_one_that_was_cut_short_is_as_odd_as_any(fragments, pair_of):
    """Whole milliseconds, or the grid of the curve, would give it away."""
    sources = [pair_of(fragment) for fragment in fragments]
    cut = [shown(source, Fault.CUT) for source in sources]
    for source, one in zip(sources, cut, strict=True):
        if isinstance(source, Humming):
            assert one.sound.frames % math.gcd(heard(source).frames, spoiling.LONGEST_BLOCK) == 0
        else:
            assert abs(one.duration_s * 1000 - round(one.duration_s * 1000)) > 1e-6
        whole = shown(source, Fault.AS_IS)
        over = [len(each.pitch) - math.ceil(each.duration_s / FINE_HOP_S) for each in (one, whole)]
        assert over[0] == over[1], "their curves end as those of whole ones do"


@pytest.mark.parametrize(("frames", "block"), [(480_000 + 128, 128), (99_999, 1), (512 * 100, 512)])
def test_a_recorder_gives_whole_blocks_and_so_does_a_cut(frames, block):
    sound = Sound.from_mono(np.zeros(frames, np.float32), 48_000)
    end_s = spoiling.like_lengths(sound, 0.71234)
    assert end_s == pytest.approx(0.71234, abs=0.006)
    short = spoiling.cut_off(sound, end_s)
    assert short.duration_s == pytest.approx(end_s, abs=1e-9)
    assert short.frames % block == 0


def test_a_full_scale_sound_is_not_clipped_by_moving_it():
    times = np.arange(48_000) / 16_000
    sound = Sound.from_mono(np.sign(np.sin(2 * np.pi * 150 * times)).astype(np.float32), 16_000)
    moved = spoiling.transposed_from(sound, 1.5, 4)
    assert np.abs(moved.samples).max() <= spoiling.HIGHEST_PEAK
    assert moved.frames == sound.frames


def test_each_fault_is_the_same_each_time(fragments):
    hum = made_rows.sung_hum(fragments[0])
    for fault in Fault:
        one, two = (shown(Humming.objects.get(pk=hum.pk), fault) for _ in range(2))
        assert (one.facts, one.offset_s, one.fragment) == (two.facts, two.offset_s, two.fragment)
        assert np.array_equal(one.pitch, two.pitch, equal_nan=True)
        if one.sound:
            assert np.array_equal(one.sound.samples, two.sound.samples)


def test_a_pair_that_is_not_clear_by_its_curves_is_left_out(fragments):
    hum = made_rows.sung_hum(fragments[0])
    hum.check_result.offset_s += 1.0
    assert Pair(hum).as_it_is is None


def test_people_s_own_corrections_are_in_what_is_shown(fragments):
    hum = made_rows.sung_hum(fragments[0])
    item = made_rows.settled(hum)
    for name, nudge_s in (("bob", 0.04), ("eve", 0.06)):
        Verdict.objects.create(item=item, person=factories.make_person(name), decision="accept", nudge_s=nudge_s)
    assert shown(hum, Fault.AS_IS).offset_s == pytest.approx(made_rows.OFFSET_S + 0.05)
    Verdict.objects.create(item=item, person=factories.make_person("kim"), decision="accept", nudge_s=0.5)
    assert Pair(hum).as_it_is is None, "they do not agree where it begins"


# --- the job


@pytest.fixture
def pairs(fragments) -> list:
    return [pair_of(fragment) for fragment in fragments for pair_of in KINDS]


def test_they_are_made_of_hums_and_covers_good_and_bad_in_about_equal_parts(pairs):
    job = make()
    made = list(Control.objects.all())
    assert len(made) == len(pairs) * controls.OF_ONE_PAIR
    assert max(Counter(one.source.pk for one in made).values()) == controls.OF_ONE_PAIR
    faults = Counter(one.fault for one in made)
    assert set(faults) == set(Fault)
    assert 0.35 <= faults[Fault.AS_IS] / len(made) <= 0.55
    assert {one.kind for one in made} == {"hum", "cover"}
    assert ReviewItem.objects.controls().count() == len(made)
    assert job.message.startswith("12 control items were made: ")
    assert job.result["live"] == len(made)
    for one in made:
        assert one.curve["hop_s"] == FINE_HOP_S
        changed_sound = one.fault in (Fault.TRANSPOSED, Fault.CUT) or (one.fault, one.kind) == (Fault.SHIFTED, "cover")
        assert bool(one.audio) == changed_sound
        if one.audio:
            with one.audio.open() as stored:
                info = soundfile.info(stored)
            assert info.format == "FLAC"
            assert info.duration == pytest.approx(one.duration_s, abs=0.01)


def test_one_looks_like_any_other_item(pairs):
    make()
    for item in ReviewItem.objects.controls().select_related(*desk.WITH_ALL):
        described = desk.describe(item)
        assert described["kind"] in ("hum", "cover")
        assert json.dumps(desk.curve(item, desk.VERSION))
        heard_now = desk.audio(item, desk.VERSION)
        assert heard_now["Content-Type"] == "audio/flac"
        assert 0 < described["similarity"] <= 1


def test_the_similarity_that_is_shown_is_one_of_those_that_wait(pairs, fragments):
    waiting = made_rows.sung_hum(fragments[0], state=Humming.State.CHECKED)
    waiting.check_result.similarity = 0.777
    ReviewItem.ask_about(waiting)
    make()
    assert set(Control.objects.exclude(humming=None).values_list("similarity", flat=True)) == {0.777}


def test_made_twice_or_after_a_kill_they_are_there_once(pairs, monkeypatch):
    stored, calls = controls.store, []

    def killed_at_the_fifth(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return stored(*arguments)

    monkeypatch.setattr(controls, "store", killed_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        controls.Making.begin().make(lambda share, words: None)
    monkeypatch.setattr(controls, "store", stored)
    assert Control.objects.count() == 4
    first = set(Control.objects.values_list("pk", flat=True))
    make()
    once = set(Control.objects.values_list("pk", "fault", "similarity"))
    assert first <= {pk for pk, _, _ in once}
    assert make().message == "No accepted pair is left to make more control items of. In use: 12."
    assert set(Control.objects.values_list("pk", "fault", "similarity")) == once
    assert ReviewItem.objects.controls().count() == len(once)


def judges(name: str, **fields: object) -> Reviewer:
    return Reviewer.objects.create(person=factories.make_person(name), **fields)


def answers_all(reviewer: Reviewer) -> None:
    for item in ReviewItem.objects.controls():
        Verdict.objects.get_or_create(item=item, person=reviewer.person, defaults={"decision": "accept"})


def test_who_has_met_nearly_all_gets_more_as_far_as_there_are_pairs(pairs, monkeypatch):
    monkeypatch.setattr(control_items, "WANTED", 4)
    monkeypatch.setattr(control_items, "LEFT_TO_EACH", 6)
    ann = judges("ann", state=Reviewer.State.TRUSTED)
    assert control_items.lacking() == 0, "who is trusted and has not judged for a month is not waited for"
    make()
    answers_all(ann)
    assert (control_items.lacking(), control_items.wanted()) == (6, 10)
    make()
    live = Control.objects.live()
    assert (live.count(), control_items.lacking()) == (10, 0)
    assert live.filter(fault=Fault.AS_IS).count() == 5
    assert max(Counter(one.source.pk for one in live).values()) == 2, "spread over the pairs first"

    answers_all(ann)
    make()
    answers_all(ann)
    job = make()
    faults = Counter(Control.objects.values_list("fault", flat=True))
    assert faults[Fault.AS_IS] == len(pairs)
    assert faults.total() == 2 * len(pairs) + controls.MORE_BAD, "who rejects all is not to pass by what is left over"
    assert job.result["nothing_left"]
    Verdict.objects.update(at=timezone.now() - timedelta(days=31))
    assert control_items.lacking() == 0
    ann.move_to(Reviewer.State.SET_ASIDE, why="Test.")
    assert control_items.lacking() == 4, "two are left"
    monkeypatch.setattr(control_items, "MOST", 20)
    assert control_items.wanted() == 20


def test_what_one_passed_over_or_hummed_is_left_to_nobody(pairs, monkeypatch):
    monkeypatch.setattr(control_items, "LEFT_TO_EACH", 12)
    make()
    ann = judges("ann")
    assert control_items.lacking() == 0
    PassedOver.objects.create(item=ReviewItem.objects.controls().first(), person=ann.person)
    assert control_items.lacking() == 1
    judges_too = Reviewer.of(pairs[0].singer)
    assert control_items.lacking() == Control.objects.filter(humming__singer=judges_too.person).count() == 2
    judges_too.person.is_active = False
    judges_too.person.save()
    assert control_items.lacking() == 1


def test_for_who_knows_most_pairs_they_are_made_of_the_others(pairs, monkeypatch):
    monkeypatch.setattr(control_items, "WANTED", 2)
    monkeypatch.setattr(control_items, "LEFT_TO_EACH", 3)
    ann = judges("ann")
    for source in pairs[:-1]:
        Verdict.objects.create(item=made_rows.settled(source), person=ann.person, decision="accept")
    make()
    others = Control.objects.filter(cover_fragment=pairs[-1])
    assert others.count() == 3
    assert control_items.lacking() == 0

    Verdict.objects.create(item=made_rows.settled(pairs[-1]), person=ann.person, decision="accept")
    assert control_items.in_need() == {ann.person_id: 3}
    before = Control.objects.count()
    assert make().result["nothing_left"], "more would be of no use to anybody"
    assert Control.objects.count() == before


def test_a_few_pairs_give_all_their_faults_where_there_is_need(fragments):
    made_rows.sung_hum(fragments[0])
    make()
    assert Control.objects.count() == controls.OF_ONE_PAIR
    judges("ann")
    make()
    assert set(Control.objects.values_list("fault", flat=True)) == set(Fault)


def test_there_are_never_more_than_wanted(pairs, monkeypatch):
    monkeypatch.setattr(control_items, "WANTED", 5)
    make()
    assert Control.objects.count() == 5
    assert make().message == "There are enough control items: 5."
    songs = Counter(one.source.fragment.song for one in Control.objects.all())
    assert max(songs.values()) <= 2, "they are spread over the songs"


def test_without_accepted_pairs_it_says_so(fragments):
    made_rows.sung_hum(fragments[0], state=Humming.State.CHECKED)
    made_rows.sung_cover(fragments[0], state=CoverFragment.State.MATCHED)
    assert make().message == controls.NO_PAIRS
    assert not Control.objects.exists()


def test_a_hum_that_may_not_be_changed_is_left_alone(fragments):
    made_rows.sung_hum(fragments[0], licence="CC-BY-ND-4.0")
    assert make().message == controls.NO_PAIRS


def test_a_take_withdrawn_while_its_control_is_made_gets_none(fragments):
    hum = made_rows.sung_hum(fragments[0])
    made = shown(hum, Fault.CUT)
    withdraw(hum, hum.singer)
    assert controls.store(hum, Fault.CUT, made) is None
    assert not Control.objects.exists()
    folders, _ = default_storage.listdir("controls")
    assert not any(default_storage.listdir(f"controls/{folder}")[1] for folder in folders), "no sound is left behind"


def test_those_of_pairs_that_are_accepted_no_more_are_retired(pairs):
    make()
    hum, cover = pairs[0], pairs[3]
    hum.move_to(Humming.State.REJECTED, why="Overruled.")
    cover.move_to(CoverFragment.State.REJECTED, why="Overruled.")
    down = pairs[4].fragment.song
    down.taken_down_at = timezone.now()
    down.save()
    job = make()
    assert job.result["retired"] >= 8
    for control in Control.objects.live():
        assert control.source not in (hum, cover)
        assert down not in (control.source.fragment.song, control.fragment.song)
    assert job.message.startswith(f"{job.result['retired']} control items were retired. ")


def test_of_a_deleted_take_no_sound_is_left(pairs):
    make()
    hum = pairs[0]
    Control.objects.filter(humming=hum).first().retire()
    withdraw(hum, hum.singer)
    hum.audio.delete()
    make()
    for control in Control.objects.filter(humming=hum):
        assert control.retired_at
        assert not control.audio
        assert control.curve == control_items.NO_CURVE


def test_every_fault_is_explained_and_has_a_reason(pairs):
    make()
    person = factories.make_person("bob")
    for control in Control.objects.all():
        told = control.tell(person, Verdict(decision="accept"))
        assert "{" not in told["words"]
        if control.fault != Fault.AS_IS:
            assert control.REASON[control.fault] in Reason


def test_the_command_is_the_job_s_twin(pairs, capsys):
    call_command("make_controls", json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["made"] == 12
    assert answer["message"].startswith("12 control items were made")
