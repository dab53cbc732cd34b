"""What a release says of itself, as its texts and pages tell it. Frozen with the release; free of Django.

All of it is counted from the rows of the release, or is what the database and the settings said when it was frozen.
Nothing in it is written by hand but `notes`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Facts:
    """Everything that the texts of a release are made of.

    Attributes:
        version: such as `2026.11`.
        frozen_on: the day, as `2026-11-27`.
        counts: of all: `songs`, `fragments`, `versions`, `original`, `cover`, `humming`, `with_audio`, `simulated`
            (hums), `singers`, `songs_of_split` {split: songs}, `hours` {audio_type: hours}.
        statistics: what the plots show, as `recordings.release.frozen.statistics` makes it.
        columns: of each table by its path, in their order.
        removed: how many rows REMOVED.tsv has.
        doi: such as `10.5281/zenodo.1234567`, empty if none is known.
        address: the public page of the release, empty if the instance has no address of its own.
        publisher: who answers for it.
        contact: where to write to, an address or a page; may be empty.
        hummed: the first and the last day on which one of its hums was sung; empty without hums.
        consents: the texts that singers agreed to, by version, with the number of hums under each:
            {version: {"text": text, "hums": n}}.
        crowd: of the double-check: `reviewers`, `simulated_reviewers` (those of them that are a program), `verdicts`
            (counted ones, on what is in it), `alpha` (Krippendorff's, over the counted verdicts; None if it cannot be
            told), `needed` (agreeing verdicts that settle an item).
        checkpoints: which checkpoint found how many of its covers.
        methods: which automatic check measured how many of its hums.
        changes: against the last published release, as `frozen.changes` makes it; None for the first.
        history: of every release published before, the latest first: [{"version", "published_on", "changes", "notes"}].
        notes: the admin's own words on what is new; may be empty.
        tools: what wrote the files: {"libsndfile": "1.2.2", "pyarrow": "26.0.1"}.
    """

    version: str
    frozen_on: str
    counts: dict[str, Any]
    statistics: dict[str, Any]
    columns: dict[str, list[str]]
    removed: int = 0
    doi: str = ""
    address: str = ""
    publisher: str = "CHAD"
    contact: str = ""
    hummed: list[str] = field(default_factory=list)
    consents: dict[str, dict[str, Any]] = field(default_factory=dict)
    crowd: dict[str, Any] = field(default_factory=dict)
    checkpoints: dict[str, int] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    changes: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: str = ""
    tools: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Facts:
        return cls(**data)
