"""The automatic check of a hum: aligned to its fragment, and judged."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from django.db import transaction

from annotation.taking import apply_check
from ml_worker.audio.sound import UnusableAudio
from ml_worker.judging.judge import Judgement, Reason, judge_hum, without_voice
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import melody_of, sound_of
from recordings.models import HumCheck, Humming
from recordings.storage import put

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    humming = Humming.objects.select_related("fragment__recording__song").get(pk=job.subject)
    report(0.1, f"Checking a {humming}")
    check = check_hum(humming)
    found = "Content" if check.ok else "Refused: " + " ".join(reason["sentence"] for reason in check.reasons)
    return f"{found.rstrip('.')} (similarity {check.similarity:.2f}).", None


def check_hum(humming: Humming) -> HumCheck:
    """Judges a take, stores what was found, and moves the take on. Safe to run twice."""
    before = HumCheck.objects.filter(humming=humming).first()
    if before is None:
        judgement = judge(humming)
        with transaction.atomic():
            Humming.objects.select_for_update(of=("self",)).get(pk=humming.pk)
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
    return judge_hum(sound, reference, reference_start_s=humming.reference_start_s)


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
        reasons=[asdict(reason) for reason in judgement.reasons],
        offset_s=judgement.offset_s,
        tempo_ratio=judgement.tempo_ratio,
        transposition=judgement.transposition,
        similarity=judgement.similarity,
        measures=judgement.measures,
        method=judgement.melody.method,
    )
    put(check.melody, "melody.npz", judgement.melody.to_bytes())
    check.save()
    return check
