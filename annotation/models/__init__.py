"""What people do."""

from annotation.models.consent import Consent
from annotation.models.review import ReviewItem, Verdict
from annotation.models.slots import Lease, Skip, Slot

__all__ = ["Consent", "Lease", "ReviewItem", "Skip", "Slot", "Verdict"]
