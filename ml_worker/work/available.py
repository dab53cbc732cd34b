"""Looks whether the videos of recordings can still be had, a few at a time.

A site that is out of reach says nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ml_worker.work import CannotBeDone
from recordings.models import AvailabilityCheck

if TYPE_CHECKING:
    from ml_worker.models import Job
    from ml_worker.work import Outcome

# Videos that one job looks at. With a pause between calls that is about a minute.
BATCH = 20
# After so many looks in a row that learned nothing the site is taken to be out of reach.
GIVE_UP_AFTER = 3


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    from ml_worker.work.youtube import Looker

    recordings = list(AvailabilityCheck.due()[:BATCH])
    counts = {True: 0, False: 0, None: 0}
    unknown_in_a_row = 0
    with Looker() as looker:
        for number, recording in enumerate(recordings):
            report(number / len(recordings), f"Looking at {recording.youtube_id}")
            is_available, said = looker.look(recording.youtube_id)
            AvailabilityCheck.note(recording, is_available, said)
            counts[is_available] += 1
            unknown_in_a_row = 0 if is_available is not None else unknown_in_a_row + 1
            if unknown_in_a_row == GIVE_UP_AFTER:
                raise CannotBeDone(f"The video site is out of reach. {said} It is looked at again by itself.")
    result = {"there": counts[True], "gone": counts[False], "unknown": counts[None]}
    return f"{counts[True]} videos are there, {counts[False]} are gone, {counts[None]} unknown.", result
