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
from recordings.release_pages.told_otherwise import told_otherwise

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
NOT_KEPT = "The draft was frozen anew after you opened its page, so these words are not kept yet."
NOT_KEPT_WITHOUT_A_DRAFT = "There is no draft at the moment, so these words are not kept yet."
NOTHING_TO_STOP = "Nothing of version {} was at work any more, so there was nothing to stop."


@admin_page
@never_cache
@require_safe
def releases(request: HttpRequest) -> HttpResponse:
    shown = made.releases()
    is_open = any(one.is_open for one in shown)
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
    changes = facts.get("changes") or {}
    form = form or NotesForm({"notes": shown.notes})
    # What has the focus is not brought up to date while work is under way.
    if form.errors and not shown.is_open:
        form.fields["notes"].widget.attrs["autofocus"] = True
    return {
        "release": shown,
        "is_open": shown.is_open,
        "facts": facts,
        "splits": [(split, facts["statistics"]["splits"][split]) for split in SPLITS] if facts else [],
        "changes": in_words(changes) if changes else [],
        "listed": changes.get("listed", [])[:50],
        "told_otherwise": told_otherwise(changes),
        # A version that is told otherwise is in both releases, and has its page in the one that is out.
        "paged_in": shown.version if row and row.is_published else changes.get("against"),
        "form": form,
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

    @property
    def words(self) -> str:
        """What was typed; where it may not stand so, as it was typed."""
        return (self.cleaned_data["notes"] if self.is_valid() else self.data["notes"]).strip()


def is_steering(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf") and letter not in JOINERS


@admin_page
@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest, version: str) -> HttpResponse:
    """Keeps the admin's words, and has the draft frozen and checked anew with them."""
    shown = unpublished_or_404(version)
    if request.method != "POST":
        return redirect("manage-release", version)
    form = NotesForm(request.POST)
    is_another = not is_looked_at(shown, request) and form.words != shown.notes
    if shown.row is None or is_another:
        return not_kept(request, shown, form, why_not_this(shown))
    if not form.is_valid():
        return render(request, "manage_release.html", page_of(shown, form), status=422)
    keep(shown.row, form)
    if not ask(version, DRAFT):
        messages.error(request, BUSY.format(shown.version))
    else:
        messages.success(request, "Your words are kept for the changelog. The draft is checked anew with them.")
    return redirect("manage-release", version)


def is_looked_at(shown: made.ShownRelease, request: HttpRequest) -> bool:
    """Whether the draft is still the one that stood on the page from which this was sent."""
    return shown.row is not None and request.POST.get("snapshot") == shown.snapshot


def why_not_this(shown: made.ShownRelease) -> str:
    """Why nothing can be done with the draft that somebody has looked at."""
    if shown.row is None:
        return (BUSY if shown.is_open else NO_MORE).format(shown.version)
    return ANOTHER.format(shown.version)


def not_kept(request: HttpRequest, shown: made.ShownRelease, form: NotesForm, why: str) -> HttpResponse:
    """Says why nothing was done. Words that were typed are shown, to be looked through and kept then; where somebody
    else's are kept, beside those."""
    messages.error(request, why)
    if form.words in ("", shown.notes):
        return redirect("manage-release", shown.version)
    form.add_error("notes", NOT_KEPT if shown.row else NOT_KEPT_WITHOUT_A_DRAFT)
    page = page_of(shown, form) | {"kept": shown.notes}
    return render(request, "manage_release.html", page, status=409)


def keep(row: Release, form: NotesForm) -> bool:
    """Whether the words are new. What was checked without them does not count any more."""
    is_new = form.words != row.notes
    if is_new:
        Release.objects.drafts().filter(pk=row.pk).update(notes=form.words, checks=[], checked_at=None)
    return is_new


@admin_page
@require_POST
def draft(request: HttpRequest, version: str) -> HttpResponse:
    """Asks for the draft to be frozen anew, as things stand now; or again, where it is no more, with words for it."""
    shown = unpublished_or_404(version)
    form = NotesForm(request.POST)
    if form.words and (shown.row or shown.is_open):
        return not_kept(request, shown, form, why_not_this(shown))
    if not form.is_valid():
        return render(request, "manage_release.html", page_of(shown, form), status=422)
    notes = form.words or shown.notes
    if not ask(version, DRAFT, **({"notes": notes} if notes else {})):
        messages.error(request, BUSY.format(shown.version))
    return redirect("manage-release", version)


@admin_page
@require_POST
def stop(request: HttpRequest, version: str) -> HttpResponse:
    """Has the draft, the publication or the export that is under way stop, or wait no longer. The job's own line says
    so, and stays true as the page is kept up to date."""
    shown = shown_or_404(version)
    if release_work.stop(version, request.user) is None:
        messages.info(request, f"{NOTHING_TO_STOP.format(version)} {how_it_is(shown_or_404(version))}")
    return redirect("releases") if "list" in request.POST else redirect("manage-release", shown.version)


def how_it_is(shown: made.ShownRelease) -> str:
    if shown.row is None:
        return "It is not frozen."
    if shown.row.is_published:
        return "It is published."
    return "Its draft is frozen and checked." if shown.row.checked_at else "Its draft is frozen, and not checked."


@admin_page
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest, version: str) -> HttpResponse:
    """The one act: every line of the checklist is good or ticked, and from then on the release never changes."""
    shown = unpublished_or_404(version)
    if request.method != "POST":
        return redirect("manage-release", version)
    form = NotesForm(request.POST if "notes" in request.POST else {"notes": shown.notes})
    if shown.row is None or not is_looked_at(shown, request):
        return not_kept(request, shown, form, why_not_this(shown))
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
    if not ask(version, "publish", ticked=ticked, notes=shown.row.notes, snapshot=shown.snapshot):
        messages.error(request, BUSY.format(shown.version))
    return redirect("manage-release", version)


@admin_page
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def throw_away(request: HttpRequest, version: str) -> HttpResponse:
    """What is lost with a draft, and the act."""
    shown = unpublished_or_404(version)
    if request.method != "POST" and not shown.is_open:
        return render(request, "throw_away.html", {"release": shown})
    if request.method == "POST" and request.POST.get("snapshot", "") != shown.snapshot:
        messages.error(request, f"Draft {version} was frozen anew since you were asked: this is how it is now.")
        return redirect("throw-away-draft", version)
    if shown.is_open or not release_work.throw_away(version):
        messages.error(request, BUSY.format(version))
        return redirect("manage-release", version)
    what = f"Draft {version} is thrown away." if shown.row else f"Version {version} is forgotten."
    messages.success(request, what)
    return redirect("releases")


def ask(version: str, step: str, **arguments: Any) -> bool:
    """Whether the job was taken: one at a time writes a version."""
    job = Job.ask(Job.Kind.RELEASE, version, step=step, **arguments)
    nudge()
    return job.arguments.get("step") == step and not job.is_stopping


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
