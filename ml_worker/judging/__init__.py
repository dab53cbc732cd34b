"""A hum against the melody that it should be: alignment, checks, and sentences for the singer. Free of Django."""

from ml_worker.judging.alignment import Alignment, align, check_reference
from ml_worker.judging.judge import Judgement, Reason, judge_hum, judge_melody

__all__ = ["Alignment", "Judgement", "Reason", "align", "check_reference", "judge_hum", "judge_melody"]
