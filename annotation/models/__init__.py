"""What people do."""

from annotation.models.about import AboutSinger
from annotation.models.consent import Consent
from annotation.models.controls import Control, ControlTold
from annotation.models.familiarity import Familiarity
from annotation.models.guests import Guest
from annotation.models.removals import Removal
from annotation.models.reports import Report
from annotation.models.review import PassedOver, ReviewItem
from annotation.models.reviewers import Reviewer
from annotation.models.searches import Search, SearchMark
from annotation.models.slots import Lease, Skip, Slot
from annotation.models.studies import Participation, Study, StudyWork
from annotation.models.verdicts import Verdict

__all__ = [
    "AboutSinger",
    "Consent",
    "Control",
    "ControlTold",
    "Familiarity",
    "Guest",
    "Lease",
    "Participation",
    "PassedOver",
    "Removal",
    "Report",
    "ReviewItem",
    "Reviewer",
    "Search",
    "SearchMark",
    "Skip",
    "Slot",
    "Study",
    "StudyWork",
    "Verdict",
]
