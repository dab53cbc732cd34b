"""The rule of five: what a release tells of its singers is true of five of them or more. Free of Django."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

# Common Voice tells no value that fewer than five of its speakers share.
AT_LEAST = 5

# What one row shows in some columns, in their order, and all that a singer's rows show, each once.
Combination = tuple[str, ...]
Profile = frozenset[Combination]


def suppress(
    rows: Sequence[Mapping[str, str]],
    singers: Sequence[Hashable],
    columns: Sequence[str],
    at_least: int = AT_LEAST,
) -> list[dict[str, str]]:
    """The values of each row in `columns`, with those emptied that fewer than `at_least` singers share.

    `rows[i]` is a hum by `singers[i]`; "" or a missing column is what is not known. It is k-anonymity (Sweeney 2002) by
    local suppression, k being `at_least`, with all rows of a singer as one record, since the pseudonym links them: at
    least `at_least` singers show the very same combinations over their rows together. From that follows that every
    combination in a row that is not all empty is shown by as many singers. A column is shown in all rows of a singer or
    emptied in all of them, so that no row gives another away.

    The fewest columns that will do are emptied, of several ways the one that keeps the earlier columns: no singer, and
    no group of singers, could show more unless others showed less. Which optimum of them all is best is NP-hard to say
    (Meyerson & Williams 2004) and not tried. The answer depends on no order of the rows.

    It protects a singer from being singled out by these columns alone, whoever knows all of them about the person. It
    does not protect

    - from other columns, and from the voice itself, which friends know;
    - a value that everybody in a group shares: who is known to be in it is known to have it;
    - from comparing releases: a take keeps its id, so what one release shows of it and the next one empties adds up;
    - a singer among others who can be told apart otherwise, so simulated singers, who are marked, have no place in
      `rows`.

    Raises ValueError if there are not as many singers as rows, or `at_least` is not positive.
    """
    if len(rows) != len(singers):
        raise ValueError(f"There are {len(rows)} rows and {len(singers)} singers; each row has to have its singer.")
    if at_least < 1:
        raise ValueError(f"At least {at_least} singers is no rule; give 1 or more.")
    shown = _columns_shown(_records(rows, singers, columns), len(columns), at_least)
    return [
        {
            column: row.get(column, "") if place in shown[singer] else ""
            for place, column in enumerate(columns)
        }
        for row, singer in zip(rows, singers, strict=True)
    ]  # fmt: skip


def _records(
    rows: Sequence[Mapping[str, str]], singers: Sequence[Hashable], columns: Sequence[str]
) -> dict[Hashable, Profile]:
    """What is known of each singer, in all columns."""
    records: dict[Hashable, set[Combination]] = defaultdict(set)
    for row, singer in zip(rows, singers, strict=True):
        records[singer].add(tuple(row.get(column, "") for column in columns))
    return {singer: frozenset(record) for singer, record in records.items()}


def _columns_shown(records: dict[Hashable, Profile], width: int, at_least: int) -> dict[Hashable, tuple[int, ...]]:
    """The places of the columns that each singer may show: most columns first, then earlier ones first."""
    shown: dict[Hashable, tuple[int, ...]] = dict.fromkeys(records, ())
    told = {
        singer: {place for row in record for place in range(width) if row[place]} for singer, record in records.items()
    }
    left = {singer for singer in records if told[singer]}
    for size in range(width, 0, -1):
        for places in combinations(range(width), size):
            alike: dict[Profile, list[Hashable]] = defaultdict(list)
            for singer in left:
                # Where nothing is known nothing is shown: such a singer's turn comes with fewer columns.
                if told[singer].issuperset(places):
                    alike[_profile(records[singer], places)].append(singer)
            for group in alike.values():
                if len(group) >= at_least:
                    shown.update(dict.fromkeys(group, places))
                    left.difference_update(group)
    return shown


def _profile(record: Profile, places: tuple[int, ...]) -> Profile:
    """What a singer shows in these columns; a row that shows nothing tells nothing."""
    combined = (tuple(row[place] for place in places) for row in record)
    return frozenset(combination for combination in combined if any(combination))
