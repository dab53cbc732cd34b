"""What people know of released versions, as the part that asks them tells it.

Verdicts, consents and what singers tell of themselves are kept above this part of the project, so whoever freezes a
release hands them in: `annotation/released_facts.py` is the real one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

# A version's columns, as text, by its id: those of `verdicts_for` to `probability` in the second table.
Told = dict[UUID, dict[str, str]]


class Crowd(Protocol):
    def of_hums(self, ids: Collection[UUID]) -> Told:
        """The double-check's columns of these hums."""
        ...

    def of_covers(self, ids: Collection[UUID]) -> Told:
        """The double-check's columns of these cover fragments."""
        ...

    def about_singers(self, people: Collection[int]) -> dict[int, dict[str, str]]:
        """What singers tell of themselves: `age_band`, `gender`, `musical_training`."""
        ...

    def summary(self, hums: Collection[UUID], covers: Collection[UUID]) -> dict[str, Any]:
        """`Facts.crowd` of a release that holds these."""
        ...

    def consents(self) -> dict[str, str]:
        """The texts that singers agreed to, by version."""
        ...

    def reports_decided(self, after: datetime | None, until: datetime) -> list[dict[str, str]]:
        """What was reported as wrong and decided since: `reports` of `recordings.release.frozen.changes`."""
        ...

    def open_reports(self) -> int:
        """How many reports on published versions nobody has decided yet."""
        ...

    def names(self) -> set[str]:
        """What no release may hold: names and addresses of people, and names of files that they sent."""
        ...


class Nobody:
    """An instance where nobody was asked anything."""

    def of_hums(self, ids: Collection[UUID]) -> Told:
        return {}

    def of_covers(self, ids: Collection[UUID]) -> Told:
        return {}

    def about_singers(self, people: Collection[int]) -> dict[int, dict[str, str]]:
        return {}

    def summary(self, hums: Collection[UUID], covers: Collection[UUID]) -> dict[str, Any]:
        return {}

    def consents(self) -> dict[str, str]:
        return {}

    def reports_decided(self, after: datetime | None, until: datetime) -> list[dict[str, str]]:
        return []

    def open_reports(self) -> int:
        return 0

    def names(self) -> set[str]:
        return set()


NOBODY = Nobody()
