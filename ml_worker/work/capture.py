"""The latency that a browser told with a take: measured through the loudspeaker before it, and by its own word."""

from __future__ import annotations

from typing import Any

from ml_worker.judging.judge import Estimate

BROWSER_CONFIDENCE = 0.2
"""Of the browser's figures: others measured outputLatency 5 to 6 times too small, and the input's is often absent."""
BROWSER_FIGURES = ("base_latency_s", "output_latency_s", "input_latency_s")
LONGEST_LATENCY_S = 5.0
"""What is said to be longer is a slip, not a latency."""


def loopback_of(capture: dict[str, Any]) -> Estimate | None:
    """The latency of this very stream, as the sound check heard it; None where nothing was heard through the air."""
    check = capture.get("sound_check") or {}
    latency_s, confidence = check.get("latency_s"), check.get("confidence")
    if check.get("kind") != "loudspeaker" or latency_s is None:
        return None
    return Estimate("latency_s", float(latency_s), "loopback", confidence)


def by_browser(capture: dict[str, Any]) -> Estimate | None:
    """The sum of the browser's own figures for output and input; None where it gave none."""
    context = capture.get("context") or {}
    given = [context[name] for name in BROWSER_FIGURES if is_number(context.get(name))]
    latency_s = float(sum(given))
    if not given or not 0 <= latency_s <= LONGEST_LATENCY_S:
        return None
    return Estimate("latency_s", latency_s, "browser", BROWSER_CONFIDENCE)


def is_number(value: Any) -> bool:
    """The context's facts are the browser's own, so anything may stand there."""
    # Compared before anything is made of it: an integer may be larger than any float.
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and -LONGEST_LATENCY_S <= value <= LONGEST_LATENCY_S
