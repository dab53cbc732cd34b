"""A hum against the melody that it should be: alignment, checks, and sentences for the singer. Free of Django."""

from ml_worker.judging.alignment import Alignment, align, check_reference
from ml_worker.judging.judge import judge_hum, judge_melody
from ml_worker.judging.judgement import Estimate, Judgement, Reason
from ml_worker.judging.leak import Leak, find_leak

__all__ = [
    "Alignment",
    "Estimate",
    "Judgement",
    "Leak",
    "Reason",
    "align",
    "check_reference",
    "find_leak",
    "judge_hum",
    "judge_melody",
]
