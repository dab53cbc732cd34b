"""What is known of a take's place in time and key: each value with the method that gave it and how far to trust it.

The audio itself is never shifted. Machines' values stand here; a person's own stand in the verdicts, apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models

from recordings.models.versions import Humming


class Estimate(models.Model):
    """One machine's value of one quantity of a take."""

    class Quantity(models.TextChoices):
        LATENCY = "latency_s"
        """From the moment that a sound is due at the loudspeaker to the frame that hears it; seconds."""
        OFFSET = "offset_s"
        """Second of the take at which the fragment's second 0 is heard."""
        TEMPO = "tempo_ratio"
        """Above 1 where the take is slower."""
        TRANSPOSITION = "transposition"
        """Semitones, take minus fragment, octave included."""

    class Method(models.TextChoices):
        LOOPBACK = "loopback"
        """A sound was played through the loudspeaker and heard in this very stream, before the take."""
        LEAK = "leak"
        """The melody that leaked into the take was found in it."""
        BROWSER = "browser"
        """The browser's own figures for its output and input."""
        CURVES = "curves"
        """The pitch curves of take and fragment were laid over one another."""

    humming = models.ForeignKey(Humming, models.CASCADE, related_name="estimates")
    quantity = models.CharField(max_length=16, choices=Quantity)
    method = models.CharField(max_length=16, choices=Method)
    value = models.FloatField()
    confidence = models.FloatField(null=True, blank=True, help_text="0..1, empty where the method gives none")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["humming", "quantity", "method"]
        constraints = [
            models.UniqueConstraint(fields=["humming", "quantity", "method"], name="one_value_by_a_method"),
            models.CheckConstraint(
                condition=models.Q(confidence=None) | models.Q(confidence__gte=0, confidence__lte=1),
                name="confidence_from_0_to_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.humming_id} by {self.method}: {self.value:.3f}"


# In this order: a measurement of the very stream says more than what a take happens to hold, that more than what the
# browser claims (5 to 6 times too little, as measured by others), and curves hold the singer's own lateness besides.
TRUST = (Estimate.Method.LOOPBACK, Estimate.Method.LEAK, Estimate.Method.BROWSER, Estimate.Method.CURVES)

LEAST_CONFIDENCE = 0.5
"""A measurement (loopback, leak) that trusts itself less than this is passed over; the others have nothing to lose."""
MEASURED = {Estimate.Method.LOOPBACK, Estimate.Method.LEAK}


def most_trusted(estimates: Iterable[Estimate], quantity: str) -> Estimate | None:
    """The value to go by, of those of one take; None where there is none."""
    of_it = {estimate.method: estimate for estimate in estimates if estimate.quantity == quantity}
    usable = (of_it.get(method) for method in TRUST)
    return next((one for one in usable if one is not None and _is_usable(one)), None)


def _is_usable(estimate: Estimate) -> bool:
    return estimate.method not in MEASURED or (estimate.confidence or 0) >= LEAST_CONFIDENCE
