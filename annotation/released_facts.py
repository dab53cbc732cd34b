"""What people know of released versions: the `Crowd` of recordings/release/frozen/crowd.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Count, Q
from django.utils import translation

from annotation import reporting
from annotation.crowd import alpha
from annotation.double_check.agreement import as_units, numbered, simulated_people
from annotation.models import AboutSinger, Consent, Participation, ReviewItem, Verdict
from annotation.models.consent import CONSENT_TEXT, CONSENT_VERSION
from annotation.models.verdicts import Decision
from recordings.models import CoverFragment, Humming
from recordings.release.frozen.crowd import Told
from recordings.release.tables import ADMIN, JUDGED, MACHINE, PEOPLE, number

# Ids in one query: a release has a hundred thousand.
IDS_AT_ONCE = 5_000

# The same word for hums and for covers.
REJECTED = Humming.State.REJECTED

COUNTED = Q(verdicts__undone_at=None, verdicts__counts=True)


class CrowdFacts:
    """The instance's own: each call reads the database as it is."""

    def of_hums(self, ids: Collection[UUID]) -> Told:
        """The double-check's columns of these hums. One without an item of the double-check is left out."""
        return {
            item.version_id: judged(item, ADMIN if item.overruled else PEOPLE)
            for part in parts(ids)
            for item in items_of("humming", part)
        }

    def of_covers(self, ids: Collection[UUID]) -> Told:
        """The same of cover fragments; what the machine is sure of has no verdicts unless people were asked, too."""
        told: Told = {}
        for part in parts(ids):
            items = {item.version_id: item for item in items_of("cover_fragment", part)}
            for pk, state in CoverFragment.objects.filter(pk__in=part).values_list("pk", "state"):
                item = items.get(pk) or Item(pk, state)
                by_people = ADMIN if item.overruled else PEOPLE
                told[pk] = judged(item, MACHINE if state == CoverFragment.State.MATCHED else by_people)
        return told

    def about_singers(self, people: Collection[int]) -> dict[int, dict[str, str]]:
        """What singers tell of themselves; who tells nothing is left out."""
        return AboutSinger.of_all(people)

    def summary(self, hums: Collection[UUID], covers: Collection[UUID]) -> dict[str, Any]:
        """`Facts.crowd` of a release that holds these: see recordings/release/frozen/facts.py."""
        rows = [
            row
            for way, ids in (("item__humming__in", hums), ("item__cover_fragment__in", covers))
            for part in parts(ids)
            for row in Verdict.objects.counted().filter(**{way: part}).values_list("item_id", "person_id", "decision")
        ]
        _, of, _ = numbered([item for item, _, _ in rows])
        accepts = np.array([decision == Decision.ACCEPT for _, _, decision in rows], dtype=np.float64)
        people = {person for _, person, _ in rows}
        return {
            "reviewers": len(people),
            "simulated_reviewers": len(people & simulated_people()),
            "verdicts": len(rows),
            "alpha": alpha(as_units(of, accepts), "nominal"),
            "needed": settings.VERDICTS_TO_SETTLE,
        }

    def consents(self) -> dict[str, str]:
        """The texts that singers agreed to, by version: the present one in English, older ones as most agreed to them.

        Each is kept in the language in which it was agreed to.
        """
        agreed = Consent.objects.order_by().values_list("version", "text").annotate(many=Count("pk"))
        texts = {version: text for version, text, _ in sorted(agreed, key=lambda one: (one[2], one[1]))}
        if CONSENT_VERSION in texts:
            with translation.override("en"):
                texts[CONSENT_VERSION] = str(CONSENT_TEXT)
        return texts

    def reports_decided(self, after: datetime | None, until: datetime) -> list[dict[str, str]]:
        """What was reported as wrong and decided in this time."""
        return reporting.decided_between(after, until)

    def open_reports(self) -> int:
        """How many reports nobody has decided yet."""
        return reporting.open_reports().count()

    def names(self) -> set[str]:
        """What no release may hold of people: names of accounts, addresses, and what platforms call participants."""
        people = get_user_model().objects.values_list("username", "email", "first_name", "last_name")
        platforms = Participation.objects.values_list("participant_id", "session_id")
        return {name for row in (*people.iterator(), *platforms.iterator()) for name in row if name}


def parts(ids: Collection[UUID]) -> Iterator[list[UUID]]:
    there = list(ids)
    for start in range(0, len(there), IDS_AT_ONCE):
        yield there[start : start + IDS_AT_ONCE]


@dataclass(frozen=True)
class Item:
    """What the double-check has of a version: counted verdicts, and whether an admin decided.

    Attributes:
        probability: that the version is good, by the weighted verdicts.
    """

    version_id: UUID
    state: str
    overruled: int | None = None
    accepts: int = 0
    rejects: int = 0
    probability: float | None = None


def items_of(kind: str, ids: list[UUID]) -> Iterator[Item]:
    """In one query, by the name of what they are about."""
    tallied = ReviewItem.objects.filter(**{f"{kind}__in": ids}).order_by().annotate(
        accepts=Count("verdicts", filter=COUNTED & Q(verdicts__decision=Decision.ACCEPT)),
        rejects=Count("verdicts", filter=COUNTED & Q(verdicts__decision=Decision.REJECT)),
    )  # fmt: skip
    columns = (f"{kind}_id", f"{kind}__state", "overruled_by", "accepts", "rejects", "probability")
    return (Item(*row) for row in tallied.values_list(*columns))


def judged(item: Item, decided_by: str) -> dict[str, str]:
    """A version's columns. Of what the machine decided and nobody judged there is nothing to count."""
    many = item.accepts + item.rejects
    counted = many or decided_by != MACHINE
    agreed = item.rejects if item.state == REJECTED else item.accepts
    values = (
        str(item.accepts) if counted else "",
        str(item.rejects) if counted else "",
        number(agreed / many) if many else "",
        decided_by,
        number(item.probability) if many else "",
    )
    return dict(zip(JUDGED, values, strict=True))
