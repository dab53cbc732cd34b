"""What a removal touches, in the words of the singer's pages, before it is done."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext

from annotation.removing import Touched

# More are counted than named.
MOST_NAMED = 3


def of_a_take(touched: Touched) -> list[str]:
    """For the question before a take is withdrawn."""
    if not touched.takes:
        return [gettext("This take was withdrawn before; nothing more would change.")]
    return [
        gettext("It leaves the phrase, the double-check and every future release."),
        *_published(touched),
        *_trained(touched),
        gettext("This cannot be undone, and the phrase is not offered to you again."),
    ]


def of_an_account(touched: Touched) -> list[str]:
    """For leaving with the takes: what becomes of them."""
    if not touched.takes:
        return []
    leave = ngettext(
        "%(n)d take leaves its phrase, the double-check and every future release.",
        "%(n)d takes leave their phrases, the double-check and every future release.",
        touched.takes,
    )
    return [leave % {"n": touched.takes}, *_published(touched), *_trained(touched)]


def _published(touched: Touched) -> list[str]:
    """What stops at once, what stays, and what nobody can call back."""
    releases = touched.published
    if not releases:
        return []
    held = {"releases": ", ".join(releases), "n": len(releases)}
    words = _held_of_one(releases) if touched.takes == 1 else _held_of_several(releases)
    return [
        words % held,
        gettext("Lines in tables that are out stay, without the sound."),
        gettext("Copies that people downloaded before cannot be called back. We ask them to delete those."),
    ]


def _held_of_one(releases: list[str]) -> str:
    if len(releases) > MOST_NAMED:
        return gettext(
            "It is in %(n)d releases that are out. Their public pages stop giving the hum at once, and later releases "
            "list it as removed."
        )
    return ngettext(
        "It is in release %(releases)s, which is out. Its public pages stop giving the hum at once, and later releases "
        "list it as removed.",
        "It is in releases %(releases)s, which are out. Their public pages stop giving the hum at once, and later "
        "releases list it as removed.",
        len(releases),
    )


def _held_of_several(releases: list[str]) -> str:
    """Which of the takes a release holds is not counted: some or all."""
    if len(releases) > MOST_NAMED:
        return gettext(
            "%(n)d releases that are out hold some or all of them. Their public pages stop giving these hums at once, "
            "and later releases list them as removed."
        )
    return ngettext(
        "Release %(releases)s, which is out, holds some or all of them. Its public pages stop giving these hums at "
        "once, and later releases list them as removed.",
        "Releases %(releases)s, which are out, hold some or all of them. Their public pages stop giving these hums at "
        "once, and later releases list them as removed.",
        len(releases),
    )


def _trained(touched: Touched) -> list[str]:
    if not touched.checkpoints:
        return []
    words = ngettext(
        "%(n)d model has already learned from what leaves, and is marked from now on.",
        "%(n)d models have already learned from what leaves, and are marked from now on.",
        len(touched.checkpoints),
    )
    return [words % {"n": len(touched.checkpoints)}]
