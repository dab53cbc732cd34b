"""Reviewers at their desks, for tests: people, items, and the calls that the page makes."""

from __future__ import annotations

from typing import Any

from django.test import Client

from annotation.models import Control, ReviewItem, Slot
from annotation.roles import make_reviewer
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

JSON = "application/json"


class Desk:
    """One reviewer with a browser."""

    def __init__(self, name: str) -> None:
        self.person = factories.make_person(name)
        make_reviewer(self.person)
        self.client = Client()
        self.client.force_login(self.person)

    def post(self, address: str, **body: Any) -> Any:
        return self.client.post(address, body, content_type=JSON)

    def get(self, address: str) -> Any:
        return self.client.get(address)

    def next(self, *holding: Any) -> dict[str, Any]:
        return self.post("/api/review/next", holding=[str(item) for item in holding]).json()

    def judge(self, item: Any, decision: str = "accept", **more: Any) -> Any:
        if decision == "accept":
            more.setdefault("heard_s", 5.0)
        return self.post(f"/api/review/{getattr(item, 'pk', item)}/verdict", decision=decision, **more)

    def accept(self, item: Any) -> dict[str, Any]:
        """Takes the item from the queue and accepts it."""
        assert self.next()["item"]["id"] == str(item.pk)
        return self.judge(item).json()

    def reject(self, item: Any, reason: str = "noise") -> dict[str, Any]:
        assert self.next()["item"]["id"] == str(item.pk)
        return self.judge(item, "reject", reason=reason).json()

    def undo(self, verdict: int) -> Any:
        return self.post(f"/api/review/verdicts/{verdict}/undo")


def hum_to_check(**fields: Any) -> ReviewItem:
    """A hum in a slot that waits for the double-check."""
    humming = factories.make_humming(state=Humming.State.CHECKED, **fields)
    if not humming.fragment.recording.analysis:
        factories.make_analysis(humming.fragment.recording)
    Slot.lay_out()
    slot = humming.fragment.slots.filter(humming=None).first()
    slot.humming = humming
    slot.save()
    return ReviewItem.ask_about(humming)


def cover_to_check() -> ReviewItem:
    cover = factories.make_cover_fragment(state=CoverFragment.State.DOUBTFUL)
    for recording in (cover.fragment.recording, cover.recording):
        factories.make_analysis(recording)
    return ReviewItem.ask_about(cover)


def make_control(fault: str = Control.Fault.AS_IS, source: Humming | None = None, **facts: Any) -> ReviewItem:
    """A control item made of an accepted hum, without sound of its own."""
    source = source or factories.make_humming()
    if not source.fragment.recording.analysis:
        factories.make_analysis(source.fragment.recording)
    control = Control.objects.create(
        humming=source,
        fragment=source.fragment,
        fault=fault,
        facts=facts,
        curve={"hop_s": 0.02, "pitch": [45.0] * 250},
        duration_s=5.0,
        offset_s=0.25,
        tempo_ratio=1.0,
        transposition=-12.0,
        similarity=0.8,
    )
    return ReviewItem.objects.create(control=control, state=ReviewItem.State.CONTROL)
