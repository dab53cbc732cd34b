"""The automatic check of a hum: aligned to its fragment, and judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from annotation.taking import apply_check
from ml_worker.audio.decode import decode
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.judging.judge import Estimate as Found
from ml_worker.judging.judge import Judgement, Reason, judge_hum, without_voice
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import melody_of, sound_of
from ml_worker.work.capture import by_browser, loopback_of
from recordings import media
from recordings.models import Estimate, Fragment, HumCheck, Humming
from recordings.models.estimates import LEAST_CONFIDENCE
from recordings.storage import put

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome


DELETED = "Its singer has deleted this take; there is nothing left to check."


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    humming = Humming.objects.select_related("fragment__recording__song").get(pk=job.subject)
    report(0.1, f"Checking a {humming}")
    check = check_hum(humming)
    found = "Content" if check.ok else "Refused: " + " ".join(reason["sentence"] for reason in check.reasons)
    return f"{found.rstrip('.')} (similarity {check.similarity:.2f}).", None


def check_hum(humming: Humming) -> HumCheck:
    """Judges a take, stores what was found, and moves the take on. Safe to run twice."""
    before = HumCheck.objects.filter(humming=humming).first()
    if before is None and not humming.audio:
        raise CannotBeDone(DELETED)
    if before is None:
        judgement = judge(humming)
        with transaction.atomic():
            # Asked under the lock: its singer may have taken everything along meanwhile.
            if not Humming.objects.select_for_update(of=("self",)).get(pk=humming.pk).audio:
                raise CannotBeDone(DELETED)
            before = HumCheck.objects.filter(humming=humming).first() or store(humming, judgement)
    apply_check(humming)
    return before


def judge(humming: Humming) -> Judgement:
    fragment = humming.fragment
    analysis = fragment.recording.analysis
    if analysis is None:
        raise CannotBeDone(f"{fragment.recording} has no melody yet. Analyse it, then check the hum again.")
    reference = melody_of(analysis.melody).cut(fragment.start_s, fragment.end_s)
    try:
        sound = sound_of(humming.audio)
    except UnusableAudio as problem:
        return unreadable(str(problem))
    loopback = loopback_of(humming.capture)
    return judge_hum(
        sound,
        reference,
        reference_start_s=humming.reference_start_s,
        latency_s=loopback.value if loopback and (loopback.confidence or 0) >= LEAST_CONFIDENCE else None,
        reference_sound=played(fragment) if humming.reference_start_frame is not None else None,
    )


def played(fragment: Fragment) -> Sound:
    """The fragment's audio as the singer's browser played it."""
    return decode(media.cut_flac(fragment.recording.audio, fragment.start_s, fragment.end_s))


def unreadable(sentence: str) -> Judgement:
    """What is found in a take that cannot be decoded: its singer is told, and its slot is free again."""
    return Judgement(
        ok=False,
        reasons=[Reason("unreadable", sentence)],
        offset_s=None,
        tempo_ratio=None,
        transposition=None,
        similarity=0.0,
        coverage=0.0,
        measures={},
        melody=without_voice(),
    )


def store(humming: Humming, judgement: Judgement) -> HumCheck:
    check = HumCheck(
        humming=humming,
        ok=judgement.ok,
        reasons=[reason.as_dict() for reason in judgement.reasons],
        offset_s=judgement.offset_s,
        tempo_ratio=judgement.tempo_ratio,
        transposition=judgement.transposition,
        similarity=judgement.similarity,
        measures=judgement.measures,
        method=judgement.melody.method,
    )
    put(check.melody, "melody.npz", judgement.melody.to_bytes())
    check.save()
    told = [loopback_of(humming.capture), by_browser(humming.capture)]
    keep_estimates(humming, [*judgement.estimates, *(one for one in told if one)])
    return check


def keep_estimates(humming: Humming, estimates: list[Found]) -> None:
    """One row for each value of each method; doing it again changes nothing."""
    rows = [
        Estimate(humming=humming, quantity=one.quantity, method=one.method, value=one.value, confidence=one.confidence)
        for one in estimates
    ]
    Estimate.objects.bulk_create(rows, ignore_conflicts=True)
