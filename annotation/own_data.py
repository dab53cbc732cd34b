"""Everything that is kept of a person, as one ZIP: for them alone, to read and to take along."""

from __future__ import annotations

import contextlib
import json
import tempfile
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotation import take_words
from annotation.models import (
    AboutSinger,
    Consent,
    Familiarity,
    Lease,
    Participation,
    PassedOver,
    Removal,
    Report,
    Reviewer,
    Search,
    SearchMark,
    Skip,
    Verdict,
)
from recordings.models import Humming

# Larger archives go to the disk while they are made, bytes.
IN_MEMORY = 20_000_000

READ_ME = _(
    """Everything that CHAD keeps of you, as of {now}.

data.json     your account, what you agreed to, what you told of your voice, your takes with what was found in them, the
              phrases that were lent to you, what you skipped and which songs you said you know, what you judged in the
              double-check, what you reported as wrong, what you withdrew, and which songs you searched for by humming
takes/        your takes as they were recorded, one WAV file each, named by the id that data.json gives
searches/     the hums of your searches that are not deleted yet, as you sent them
"""
)


def archive(person: AbstractBaseUser) -> IO[bytes]:
    """The ZIP, at its beginning. It is a temporary file that goes when it is closed."""
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the answer closes it when it is sent
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as zipped:
        zipped.writestr("README.txt", READ_ME.format(now=timezone.now().isoformat(timespec="seconds")))
        zipped.writestr("data.json", json.dumps(data_of(person), indent=2, ensure_ascii=False, default=_plain))
        for take in Humming.objects.filter(singer=person).exclude(audio="").iterator():
            try:
                with take.audio.open() as stored, zipped.open(f"takes/{take.pk}.wav", "w") as entry:
                    for chunk in stored.chunks():
                        entry.write(chunk)
            except FileNotFoundError:
                zipped.writestr(f"takes/{take.pk}.missing.txt", str(_("The audio of this take is lost.")))
        for search in Search.objects.filter(owner=person).exclude(audio="").iterator():
            # One that is just being deleted is as good as deleted.
            with contextlib.suppress(FileNotFoundError), search.audio.open() as stored:
                zipped.writestr(f"searches/{search.pk}", stored.read())
    file.seek(0)
    return file


def data_of(person: AbstractBaseUser) -> dict[str, Any]:
    """The rows that name the person, as plain values."""
    return {
        "account": {
            "name": person.get_username(),
            "email": person.email,
            "since": person.date_joined,
            "last_sign_in": person.last_login,
        },
        "consents": _rows(Consent.objects.filter(person=person), "version", "text", "licence", "ai_training", "at"),
        "about_your_voice": _rows(AboutSinger.objects.filter(person=person), *AboutSinger.TOLD, "changed_at"),
        "takes": [_take(one) for one in take_words.in_words(take_words.takes_of(person))],
        "phrases_lent": _rows(
            Lease.objects.filter(person=person), "slot__fragment", "issued_at", "closed_at", "outcome"
        ),
        "skipped": _rows(Skip.objects.filter(person=person), "fragment", "why", "at"),
        "songs": _rows(Familiarity.objects.filter(person=person), "song__title", "song__artist", "knows", "at"),
        "verdicts": _rows(
            Verdict.objects.filter(person=person), "item", "decision", "reason", "words", "nudge_s", "at", "undone_at"
        ),
        "passed_over": _rows(PassedOver.objects.filter(person=person), "item", "at"),
        "standing": _rows(
            Reviewer.objects.filter(person=person), "state", "changed_at", "accepts_good", "rejects_bad", "measured_at"
        ),
        "studies": _rows(
            Participation.objects.filter(person=person),
            "study__platform",
            "participant_id",
            "platform_study_id",
            "session_id",
            "started_at",
            "completed_at",
        ),
        "searches": _rows(
            Search.objects.filter(owner=person),
            "id",
            "hum",
            "partial",
            "state",
            "sentence",
            "created_at",
            "curve",
            "answer",
            "took",
        ),
        "search_marks": _rows(
            SearchMark.objects.filter(search__owner=person), "search", "song__title", "right", "humming", "at"
        ),
        "reports": _rows(
            Report.objects.filter(person=person),
            "release",
            "version_id",
            "audio_type",
            "reason",
            "words",
            "at",
            "state",
            "decided_at",
        ),
        "removals": _rows(Removal.objects.filter(person=person), "kind", "subject_id", "why", "touched", "at"),
    }


def _take(one: take_words.TakeInWords) -> dict[str, Any]:
    take = one.take
    check = getattr(take, "check_result", None)
    facts = ("ok", "reasons", "offset_s", "tempo_ratio", "transposition", "similarity", "measures", "method")
    return {
        "id": take.pk,
        "song": take.fragment.song.title,
        "fragment": take.fragment_id,
        "state": one.state,
        "why": one.sentences,
        "spare": take.surplus,
        "sent_at": take.created_at,
        "consent_version": take.consent_version,
        "licence": take.licence,
        "ai_training": take.ai_training,
        "sha256": take.audio_sha256,
        "sample_rate": take.sample_rate,
        "frames": take.frames,
        "capture": take.capture,
        "check": {name: getattr(check, name) for name in facts} if check else None,
        "history": _rows(take.history, "before", "after", "why", "at"),
    }


def _rows(rows: QuerySet, *names: str) -> Iterable[dict[str, Any]]:
    return list(rows.values(*names))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
