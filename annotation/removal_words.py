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
    releases = touched.published
    if not releases:
        return []
    told = {"release": releases[-1], "n": len(releases)}
    if touched.takes == 1 and len(releases) == 1:
        return [gettext("It stays in release %(release)s, which is out, and is listed as removed in the next.") % told]
    told["releases"] = ", ".join(releases)
    if touched.takes == 1 and len(releases) <= MOST_NAMED:
        return [
            gettext("It stays in releases %(releases)s, which are out, and is listed as removed in the next.") % told
        ]
    if len(releases) <= MOST_NAMED:
        words = ngettext(
            "What is in release %(releases)s, which is out, stays there and is listed as removed next.",
            "What is in releases %(releases)s, which are out, stays there and is listed as removed next.",
            len(releases),
        )
        return [words % told]
    words = gettext("What is in the %(n)d releases that are out stays there, and is listed as removed in the next.")
    return [words % told]


def _trained(touched: Touched) -> list[str]:
    if not touched.checkpoints:
        return []
    words = ngettext(
        "%(n)d model has already learned from what leaves, and is marked from now on.",
        "%(n)d models have already learned from what leaves, and are marked from now on.",
        len(touched.checkpoints),
    )
    return [words % {"n": len(touched.checkpoints)}]
