"""Numbers and sizes as the reader's language writes them."""

from __future__ import annotations

from django.utils.formats import number_format


def count(number: float) -> str:
    """As the reader's language writes it: 12,000 or 12.000."""
    return number_format(number, use_l10n=True, force_grouping=True)


def decimal(number: float, decimals: int = 1) -> str:
    # Django cuts decimals off where it is asked for fewer.
    return number_format(round(number, decimals), decimal_pos=decimals, use_l10n=True, force_grouping=True)


def size_in_words(size: float) -> str:
    """In units of a thousand, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{count(size) if unit == 'B' else decimal(size)} {unit}"
        size /= 1000
    raise AssertionError("every size has a unit")
