"""Releases: the list, and the page of one, where a draft is looked at, checked and published."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.views.pages import admin_page
from chad_site.celery import nudge
from ml_worker import chain, made
from ml_worker.models import Job
from ml_worker.work import release as release_work
from ml_worker.work.release import DRAFT
from recordings.models import Release
from recordings.release.frozen.changes import in_words
from recordings.release.tables import SPLITS

MOST_LETTERS_OF_NOTES = 4000
# Emoji and some scripts are written with these.
JOINERS = "\u200c\u200d"
BUSY = "Version {} is being written right now. Wait until that is done."
ANOTHER = (
    "Draft {} was frozen anew since you opened its page: this is how it is now. Look through it, and publish this one."
)
NO_MORE = (
    "Draft {} is no more: somebody threw it away, or something in it was withdrawn or taken down. Freeze it anew, and "
    "look through it."
)


@admin_page
@never_cache
@require_safe
def releases(request: HttpRequest) -> HttpResponse:
    shown = made.releases()
    is_open = any(one.job and one.job.state in Job.OPEN for one in shown)
    return render(request, "releases.html", {"releases": shown, "is_open": is_open, "new": chain.release()})


@admin_page
@never_cache
@require_safe
def release(request: HttpRequest, version: str) -> HttpResponse:
    """What is in a version, how it differs from the last one, and what has to be ticked before it is published."""
    shown = shown_or_404(version)
    return render(request, "manage_release.html", page_of(shown))


def page_of(
    shown: made.ShownRelease,
    form: NotesForm | None = None,
    missing: list[str] | None = None,
    ticked: list[str] | None = None,
) -> dict[str, Any]:
    row = shown.row
    facts = row.facts if row else {}
    return {
        "release": shown,
        "is_open": bool(shown.job and shown.job.state in Job.OPEN),
        "facts": facts,
        "splits": [(split, facts["statistics"]["splits"][split]) for split in SPLITS] if facts else [],
        "changes": in_words(facts["changes"]) if facts.get("changes") else [],
        "listed": (facts.get("changes") or {}).get("listed", [])[:50],
        "form": form or NotesForm({"notes": row.notes if row else ""}),
        "missing": missing or [],
        "ticked": ticked or [],
    }


class NotesForm(forms.Form):
    notes = forms.CharField(
        label="What is new, in your words",
        required=False,
        max_length=MOST_LETTERS_OF_NOTES,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="It stands in the changelog, above the counts. Plain text.",
    )

    def __init__(self, data: Any) -> None:
        # Browsers send each end of a line as two letters, and count it as one.
        super().__init__({"notes": "\n".join(data.get("notes", "").splitlines())})

    def clean_notes(self) -> str:
        """Without letters that steer terminals or turn the direction of reading."""
        return "".join(one for one in self.cleaned_data["notes"] if one == "\n" or not is_steering(one))


def is_steering(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf") and letter not in JOINERS


@admin_page
@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest, version: str) -> HttpResponse:
    """Keeps the admin's words, and has the draft frozen and checked anew with them."""
    shown = draft_or_404(version)
    if request.method != "POST":
        return redirect("manage-release", version)
    form = NotesForm(request.POST)
    if not form.is_valid():
        return render(request, "manage_release.html", page_of(shown, form), status=422)
    keep(shown.row, form)
    if not ask(version, DRAFT):
        messages.error(request, BUSY.format(shown.version))
    else:
        messages.success(request, "Your words are kept for the changelog. The draft is checked anew with them.")
    return redirect("manage-release", version)


def keep(row: Release, form: NotesForm) -> bool:
    """Whether the words are new. What was checked without them does not count any more."""
    words = form.cleaned_data["notes"].strip()
    is_new = words != row.notes
    if is_new:
        Release.objects.drafts().filter(pk=row.pk).update(notes=words, checks=[], checked_at=None)
    return is_new


@admin_page
@require_POST
def draft(request: HttpRequest, version: str) -> HttpResponse:
    """Asks for the draft to be frozen anew, as things stand now; or again, where it is no more."""
    shown = unpublished_or_404(version)
    if not ask(version, DRAFT):
        messages.error(request, BUSY.format(shown.version))
    return redirect("manage-release", version)


@admin_page
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest, version: str) -> HttpResponse:
    """The one act: every line of the checklist is good or ticked, and from then on the release never changes."""
    shown = unpublished_or_404(version)
    if request.method != "POST":
        return redirect("manage-release", version)
    looked_at = request.POST.get("snapshot", "")
    if shown.row is None or shown.row.settings.get("snapshot") != looked_at:
        messages.error(request, (ANOTHER if shown.row else NO_MORE).format(version))
        return redirect("manage-release", version)
    form = NotesForm(request.POST if "notes" in request.POST else {"notes": shown.row.notes})
    ticked = request.POST.getlist("tick")
    if not form.is_valid():
        return render(request, "manage_release.html", page_of(shown, form, ticked=ticked), status=422)
    if keep(shown.row, form):
        ask(version, DRAFT)
        messages.info(request, "Your words are kept, and the draft is checked anew with them. Publish it after that.")
        return redirect("manage-release", version)
    missing = shown.row.unticked(ticked)
    if missing or not shown.row.may_be_published:
        page = page_of(shown, form, missing=missing, ticked=ticked)
        return render(request, "manage_release.html", page, status=422)
    if not ask(version, "publish", ticked=ticked, notes=shown.row.notes, snapshot=looked_at):
        messages.error(request, BUSY.format(shown.version))
    return redirect("manage-release", version)


@admin_page
@require_POST
def throw_away(request: HttpRequest, version: str) -> HttpResponse:
    unpublished_or_404(version)
    if not release_work.throw_away(version):
        messages.error(request, BUSY.format(version))
        return redirect("manage-release", version)
    messages.success(request, f"Draft {version} is thrown away.")
    return redirect("releases")


def ask(version: str, step: str, **arguments: Any) -> bool:
    """Whether the job was taken: one at a time writes a version."""
    job = Job.ask(Job.Kind.RELEASE, version, step=step, **arguments)
    nudge()
    return job.arguments.get("step") == step


def shown_or_404(version: str) -> made.ShownRelease:
    shown = next((one for one in made.releases() if one.version == version), None)
    if shown is None:
        raise Http404(f"There is no release {version}.")
    return shown


def unpublished_or_404(version: str) -> made.ShownRelease:
    """A draft, or a version that was asked for and is not frozen."""
    shown = shown_or_404(version)
    if shown.row is not None and shown.row.is_published:
        raise Http404(f"Release {version} is published.")
    return shown


def draft_or_404(version: str) -> made.ShownRelease:
    shown = unpublished_or_404(version)
    if shown.row is None:
        raise Http404(f"There is no draft {version}.")
    return shown
