"""What is in a release, what it changed and how the dataset grew, as figures and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from recordings.release.tables import AUDIO_TYPES, COVER, HUMMING, ORIGINAL
from recordings.release_pages.numbers import count, decimal

LEFT: dict[str, Promise] = {
    "withdrawn": gettext_lazy("withdrawn by their singers"),
    "taken down": gettext_lazy("taken down with their songs"),
    "found wrong": gettext_lazy("found wrong by people since"),
    "other": gettext_lazy("gone for another reason"),
}


def figures(counts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is in a release: each figure with its name. Releases of long ago lack some."""
    named = [
        ("songs", _("songs")),
        ("fragments", _("phrases")),
        ("original", _("originals")),
        ("humming", _("hums")),
        ("cover", _("covers")),
        ("singers", _("singers")),
    ]
    told = [(count(counts[name]), words) for name, words in named if name in counts]
    hours = sum(counts.get("hours", {}).values())
    if hours >= 2:
        told.append((decimal(hours), _("hours of audio")))
    elif hours:
        told.append((decimal(60 * hours), _("minutes of audio")))
    return told


def simulated(counts: Mapping[str, Any]) -> str:
    """How many hums a program sang, as a sentence; nothing if none."""
    number, hums = counts.get("simulated", 0), counts.get("humming", 0)
    if not number:
        return ""
    if number == hums:
        return _("All hums in it are by simulated singers, that is, sung by a program; no person sang any of them.")
    return _("%(number)s of the %(hums)s hums in it are by simulated singers, that is, sung by a program.") % {
        "number": count(number),
        "hums": count(hums),
    }


def in_short(counts: Mapping[str, Any]) -> str:
    """A release in a line of a list."""
    parts = [
        ngettext("%(number)s song", "%(number)s songs", counts.get("songs", 0)),
        ngettext("%(number)s phrase", "%(number)s phrases", counts.get("fragments", 0)),
        ngettext("%(number)s hum", "%(number)s hums", counts.get("humming", 0)),
        ngettext("%(number)s cover", "%(number)s covers", counts.get("cover", 0)),
    ]
    numbers = (counts.get(name, 0) for name in ("songs", "fragments", "humming", "cover"))
    return " · ".join(part % {"number": count(number)} for part, number in zip(parts, numbers, strict=True))


def changes_in_words(changes: Mapping[str, Any] | None) -> list[str]:
    """What a release changed, a line each; nothing where it was not kept."""
    if changes is None:
        return []
    lines = [*added_in_words(changes)]
    lines += [
        ngettext("%(number)s version left: %(why)s.", "%(number)s versions left: %(why)s.", number)
        % {"number": count(number), "why": LEFT.get(why, why)}
        for why, number in changes["removed"].items()
        if number
    ]
    if changes["changed"]:
        lines.append(
            ngettext(
                "Of %(number)s version something is told otherwise.",
                "Of %(number)s versions something is told otherwise.",
                changes["changed"],
            )
            % {"number": count(changes["changed"])}
        )
    reports = changes["reports"]
    if reports:
        removed = sum(report["outcome"] == "removed" for report in reports)
        lines.append(
            ngettext(
                "%(number)s report of something wrong was decided: %(removed)s removed, %(kept)s kept.",
                "%(number)s reports of something wrong were decided: %(removed)s removed, %(kept)s kept.",
                len(reports),
            )
            % {"number": count(len(reports)), "removed": count(removed), "kept": count(len(reports) - removed)}
        )
    return lines or [_("Nothing changed.")]


def added_in_words(changes: Mapping[str, Any]) -> list[str]:
    singular_and_plural = {
        ORIGINAL: lambda n: ngettext("%(number)s original", "%(number)s originals", n),
        COVER: lambda n: ngettext("%(number)s cover", "%(number)s covers", n),
        HUMMING: lambda n: ngettext("%(number)s hum", "%(number)s hums", n),
    }
    added = [
        singular_and_plural[kind](changes["added"][kind]) % {"number": count(changes["added"][kind])}
        for kind in AUDIO_TYPES
        if changes["added"].get(kind)
    ]
    if not added:
        return []
    if not changes["against"]:
        return [_("The first release.")]
    line = _("New: %(versions)s.") % {"versions": ", ".join(added)}
    songs = changes["songs_added"]
    if songs:
        line += " " + ngettext("%(number)s new song.", "%(number)s new songs.", songs) % {"number": count(songs)}
    return [line]


def growth(releases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many versions each release holds, the first release first. `releases`: the latest first."""
    return [{"version": one["version"], "versions": one["counts"].get("versions", 0)} for one in reversed(releases)]


def growth_in_words(points: Sequence[Mapping[str, Any]]) -> str:
    first, last = points[0], points[-1]
    if first is last:
        return _("%(versions)s versions of phrases in release %(version)s.") % {
            "versions": count(last["versions"]),
            "version": last["version"],
        }
    return _("From %(before)s versions of phrases in release %(first)s to %(now)s in release %(last)s.") % {
        "before": count(first["versions"]),
        "first": first["version"],
        "now": count(last["versions"]),
        "last": last["version"],
    }


def gone_since(number: int, whole: str) -> str:
    """What left since a release was published, and what to do about it; nothing if nothing did.

    Args:
        whole: the newest release, if nothing of it left; else empty.
    """
    if not number:
        return ""
    told = ngettext(
        "%(number)s of its versions was withdrawn or taken down since, and is not given any more, nor is the shard "
        "that holds it. The loader in the release loads all the rest.",
        "%(number)s of its versions were withdrawn or taken down since, and are not given any more, nor are the shards "
        "that hold them. The loader in the release loads all the rest.",
        number,
    ) % {"number": number}
    newer = _("Release %(version)s is whole.") % {"version": whole} if whole else _("The next release will be whole.")
    return f"{told} {newer}"
