"""What a crowd's verdicts are worth: consensus, reliability, agreement, control items, patterns. Free of Django.

In a notebook, on a release's verdicts:

    >>> from annotation.crowd import Reliability, Vote, alpha, consensus
    >>> consensus([Vote("ann", True), Vote("bo", True)], {"ann": Reliability(0.95, 0.9)}).accepts
    True
    >>> round(alpha([[1, 1], [0, 0], [1, 1, 0]], "nominal"), 3)
    0.5

`annotation.crowd.simulation` tries all of it on a made crowd.
"""

from annotation.crowd.consensus import SETTLED_AT, UNPROVEN, Consensus, Reliability, Vote, consensus
from annotation.crowd.dawid_skene import Fit, fit
from annotation.crowd.gold import Standing, accuracy, counts, gives_feedback, probability_of_gold, standing
from annotation.crowd.krippendorff import agreement_share, alpha
from annotation.crowd.patterns import Judged, Pattern, suspicious_patterns

__all__ = [
    "SETTLED_AT",
    "UNPROVEN",
    "Consensus",
    "Fit",
    "Judged",
    "Pattern",
    "Reliability",
    "Standing",
    "Vote",
    "accuracy",
    "agreement_share",
    "alpha",
    "consensus",
    "counts",
    "fit",
    "gives_feedback",
    "probability_of_gold",
    "standing",
    "suspicious_patterns",
]
