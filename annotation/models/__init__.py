"""What people do."""

from annotation.models.consent import Consent
from annotation.models.familiarity import Familiarity
from annotation.models.guests import Guest
from annotation.models.review import ReviewItem, Verdict
from annotation.models.slots import Lease, Skip, Slot

__all__ = ["Consent", "Familiarity", "Guest", "Lease", "ReviewItem", "Skip", "Slot", "Verdict"]
