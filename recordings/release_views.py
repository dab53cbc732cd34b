"""The public pages of releases: the history, one release, one version in it, and every file. Drafts are on none."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from recordings.models import Release, ReleasedVersion
from recordings.release import serving
from recordings.release.described import paper, words
from recordings.release.errors import ReleaseRefused
from recordings.release.frozen.facts import Facts
from recordings.release.layout import CROISSANT, README
from recordings.release.removed import taken_back, why_left
from recordings.release.tables import COVER, HUMMING, ORIGINAL, TAKEN_DOWN, WITHDRAWN
from recordings.release_pages import files, lists, overview, passages, plots, versions
from recordings.release_pages.told_otherwise import told_otherwise

log = logging.getLogger("chad.releases")

# Phrases to hear on a release's page, chosen of so many, each with its first few versions.
EXAMPLES = 3
ORIGINALS_LOOKED_AT = 40
CANDIDATES = 12
VERSIONS_OF_A_PHRASE = 40
HUMS_TO_HEAR, COVERS_TO_HEAR = 3, 2
# What a page lists of removed versions and decided reports; the changelog lists all.
MOST_LISTED = 50

NOT_AS_PUBLISHED = gettext_lazy(
    "The file cannot be given as it was published. Whoever runs this place can read why in its log."
)


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Every published release, the latest first."""
    rows = Release.objects.latest_first().values(
        "version", "published_at", "notes", "settings__counts", "facts__changes"
    )
    releases = [
        {
            "version": row["version"],
            "published_at": row["published_at"],
            "notes": row["notes"],
            "counts": row["settings__counts"] or {},
            "in_short": overview.in_short(row["settings__counts"] or {}),
            "simulated": overview.simulated(row["settings__counts"] or {}),
            "changes": overview.changes_in_words(row["facts__changes"]),
        }
        for row in rows
    ]
    points = overview.growth(releases)
    told = overview.growth_in_words(points) if points else ""
    return render(request, "releases_public.html", {"releases": releases, "growth": points, "growth_words": told})


@require_safe
def release(request: HttpRequest, version: str) -> HttpResponse:
    """What is in a release, to look at, to hear, to load and to cite."""
    found = published(version)
    asked = request.GET.get("find", "").strip()
    if asked:
        version_id = id_in(found, asked)
        if version_id:
            return redirect("released-version", found.version, version_id)
    facts = Facts.of_json(found.facts | {"notes": found.notes}) if found.facts else None
    counts = found.settings.get("counts", {})
    changes = (found.facts or {}).get("changes")
    gone = found.versions.filter(taken_back()).count()
    page = {
        "release": found,
        "counts": counts,
        "figures": overview.figures(counts),
        "simulated": overview.simulated(counts),
        "gone_since": overview.gone_since(gone, whole_release()) if gone else "",
        "plots": plots.plots(facts.statistics if facts else {}),
        "examples": examples_of(found),
        "loading": [],
        "address": request.build_absolute_uri(request.path),
        "doi": facts.doi if facts else "",
        "citation": citation_of(facts),
        "paper": paper.REFERENCE,
        "changes": overview.changes_in_words(changes),
        "told_otherwise": told_otherwise(changes),
        "against": (changes or {}).get("against"),
        "reports": lists.reported((changes or {}).get("reports", [])[:MOST_LISTED]),
        "left": lists.left((changes or {}).get("listed", [])[:MOST_LISTED]),
        "files": files.files_of(
            found.files or names_before_bundles(found), serving.shards_that_left(found) if gone else ()
        ),
        "has_texts": bool(found.bundle),
        "asked": asked,
        "others": others_of(found),
        **texts_of(found),
    }
    return render(request, "release.html", page, status=404 if asked else 200)


def whole_release() -> str:
    """The newest release, if nothing of it was withdrawn or taken down since."""
    newest = Release.objects.latest_first().first()
    is_whole = newest and not newest.versions.filter(taken_back()).exists()
    return newest.version if is_whole else ""


@require_safe
def released_version(request: HttpRequest, version: str, version_id: UUID) -> HttpResponse:
    """One version: how it sounds, everything that the release tells of it, and what happened since."""
    found = published(version)
    shown = found.versions.filter(version_id=version_id).first()
    if shown is None:
        raise Http404(_("Release %(release)s has no such version.") % {"release": version})
    of_phrase = phrase_of(found, shown)
    left = left_of(found, [one.version_id for one in of_phrase])
    why = left.get(shown.version_id, "")
    listed = listed_of(found, of_phrase, left)
    original = next((one for one in listed if one["kind"] == ORIGINAL), None)
    row = shown.written
    # What its singer or a song's owner took back is not told on, but for where it was.
    is_gone = why in (WITHDRAWN, TAKEN_DOWN)
    known, empty = ([], []) if is_gone else versions.facts_of(row, found.settings.get("columns", {}))
    page = {
        "release": found,
        "version": shown,
        "row": row["versions"],
        "dataset": row["dataset"],
        "kind": versions.kind_of(shown.audio_type),
        "known": known,
        "empty": empty,
        "why_left": versions.why_left(why) if why else "",
        "one": next(one for one in listed if one["id"] == str(version_id)),
        "original": original,
        "others": [one for one in listed if one["id"] != str(version_id)],
    }
    return render(request, "released_version.html", page)


@require_safe
def release_file(request: HttpRequest, version: str, path: str) -> HttpResponseBase:
    """A file of a release, or a part of it."""
    try:
        found = published(version)
        return serving.answer(request, path, serving.find(found, path))
    except Http404:
        return refusal(_("There is no published release %(release)s.") % {"release": version}, "not_found", 404)
    except serving.HasLeft as problem:
        return refusal(problem.sentence, "gone", 410)
    except serving.NotThere as problem:
        return refusal(problem.sentence, "not_found", 404)
    except ReleaseRefused as problem:
        log.error("%s of release %s cannot be given: %s", path, version, problem)
        return refusal(NOT_AS_PUBLISHED, "not_as_published", 500)


def refusal(sentence: str | Promise, code: str, status: int) -> HttpResponse:
    """As every call of this site refuses: in a sentence, with a word for scripts."""
    return JsonResponse({"error": str(sentence), "code": code}, status=status)


# ---------------------------------------------------------------- what the pages show


def published(version: str) -> Release:
    found = Release.objects.published().filter(version=version).first()
    if found is None:
        raise Http404(_("There is no published release %(release)s.") % {"release": version})
    return found


def id_in(found: Release, asked: str) -> UUID | None:
    """The version that is asked for by its id, if the release has it."""
    try:
        version_id = UUID(asked)
    except ValueError:
        return None
    return version_id if found.versions.filter(version_id=version_id).exists() else None


def others_of(found: Release) -> dict[str, Any]:
    """The releases right before and after this one."""
    rows = Release.objects.published().only("version", "published_at")
    place = Q(published_at=found.published_at)
    older = rows.filter(Q(published_at__lt=found.published_at) | place & Q(pk__lt=found.pk))
    newer = rows.filter(Q(published_at__gt=found.published_at) | place & Q(pk__gt=found.pk))
    return {
        "older": older.order_by("-published_at", "-pk").first(),
        "newer": newer.order_by("published_at", "pk").first(),
        "newest": rows.exclude(pk=found.pk).order_by("-published_at", "-pk").first(),
    }


def citation_of(facts: Facts | None) -> dict[str, str]:
    """The release in a line, as its own texts cite it."""
    if facts is None:
        return {}
    where = words.at_doi(facts.doi) if facts.doi else facts.address
    return {"line": f"{facts.publisher}: {words.title(facts)} ({words.year(facts)}).", "where": where}


def texts_of(found: Release) -> dict[str, Any]:
    """From the release's own texts, in their own words: how it is loaded and cited, and what machines read of it.

    Where the archive is lost, the page shows the rest.
    """
    if not found.bundle:
        return {}
    try:
        readme = serving.read(found, README).decode()
        croissant = serving.read(found, CROISSANT).decode() if CROISSANT in found.files else ""
    except (serving.NotThere, ReleaseRefused) as problem:
        log.error("The texts of release %s cannot be shown: %s", found.version, problem)
        return {}
    citing = passages.passages(passages.section_of(readme, "Cite it"))
    return {
        "loading": passages.passages(passages.section_of(readme, "Load it")),
        "bibtex": next((passage.code for passage in citing if passage.code), ""),
        # In a page nothing may look like its end.
        "croissant": croissant.replace("&", "\\u0026").replace("<", "\\u003C").replace(">", "\\u003E"),
    }


def names_before_bundles(found: Release) -> dict[str, dict[str, Any]]:
    """Files of releases that noted no sums of them: the texts. The tables are as large as they are."""
    texts = found.settings.get("texts", {})
    return {path: {"bytes": len(text.encode()), "sha256": ""} for path, text in texts.items()}


# ---------------------------------------------------------------- versions of a phrase


def phrase_of(found: Release, version: ReleasedVersion) -> list[ReleasedVersion]:
    """The versions of a phrase, the original first. The rows of one lie together, in the order of their keys."""
    fragment = version.row["versions"]["fragment_id"]
    original = found.versions.filter(version_id=fragment).values_list("pk", flat=True).first()
    rows = found.versions.filter(pk__gte=original if original is not None else version.pk).order_by("pk")
    phrase = [row for row in rows[:VERSIONS_OF_A_PHRASE] if row.row["versions"]["fragment_id"] == fragment]
    return phrase if version in phrase else [*phrase, version]


def left_of(found: Release, version_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Which of these left the collection since, and why."""
    return why_left(found.versions.filter(version_id__in=version_ids).order_by())


def listed_of(found: Release, phrase: Sequence[ReleasedVersion], left: dict[UUID, str]) -> list[dict[str, Any]]:
    """The versions of a phrase as pages list them: what each is called, and where it is heard and seen."""
    numbers: Counter[str] = Counter()
    listed = []
    for version in phrase:
        row = version.row["versions"]
        numbers[version.audio_type] += 1
        is_there = version.version_id not in left
        listed.append(
            {
                "id": str(version.version_id),
                "kind": version.audio_type,
                "name": versions.name_of(version.audio_type, row, numbers[version.audio_type]),
                "simulated": row.get("simulated") == "True",
                "audio": version.audio if is_there else "",
                "curve": row.get("f0", "") if is_there and found.bundle else "",
                "offset_s": row.get("offset_s", ""),
                "tempo_ratio": row.get("tempo_ratio", ""),
                "transposition": row.get("transposition", ""),
                "left": left.get(version.version_id, ""),
            }
        )
    return listed


def examples_of(found: Release) -> list[dict[str, Any]]:
    """Up to three phrases to hear, the same ones each time while nothing of them leaves: first those with an original,
    hums and covers.

    By ids, which are random, and a few rows alone are read, however large the release is.
    """
    by_id = found.versions.order_by("version_id")
    originals = list(by_id.filter(audio_type=ORIGINAL).values_list("pk", "audio")[:ORIGINALS_LOOKED_AT])
    starts = [pk for pk, _audio in sorted(originals, key=lambda one: not one[1])][:CANDIDATES]
    if not starts:
        return []
    near = Q()
    for pk in starts:
        near |= Q(pk__gte=pk, pk__lt=pk + VERSIONS_OF_A_PHRASE)
    phrases: dict[str, list[ReleasedVersion]] = {}
    for version in found.versions.filter(near).order_by("pk"):
        phrases.setdefault(version.row["versions"]["fragment_id"], []).append(version)
    left = left_of(found, [version.version_id for phrase in phrases.values() for version in phrase])
    whole = [phrase for phrase in phrases.values() if phrase[0].pk in starts and phrase[0].version_id not in left]
    shown = [example_of(found, phrase, left) for phrase in sorted(whole, key=lambda phrase: starts.index(phrase[0].pk))]
    heard = [example for example in shown if len(example["versions"]) > 1]
    return sorted(heard, key=lambda example: -len({one["kind"] for one in example["versions"]}))[:EXAMPLES]


def example_of(found: Release, phrase: Sequence[ReleasedVersion], left: dict[UUID, str]) -> dict[str, Any]:
    """A phrase with those of its versions that can be heard, a few of each kind."""
    row = phrase[0].row["versions"]
    most = {ORIGINAL: 1, HUMMING: HUMS_TO_HEAR, COVER: COVERS_TO_HEAR}
    chosen: list[dict[str, Any]] = []
    for one in listed_of(found, phrase, left):
        if one["audio"] and sum(other["kind"] == one["kind"] for other in chosen) < most[one["kind"]]:
            chosen.append(one)
    chosen.sort(key=lambda one: (ORIGINAL, HUMMING, COVER).index(one["kind"]))
    return {"title": row["title"], "artist": row["artist"], "split": row["split"], "versions": chosen}
