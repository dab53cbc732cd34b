"""A person's wish about AI training, changed: for what is hummed from then on, and for all own takes if they say so."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from annotation.models import Consent
from chad_site.errors import NotAllowed
from recordings.models import Humming
from recordings.release import removed

NOTHING_AGREED = _("You have not agreed to anything yet. You are asked before your first hum.")


@transaction.atomic
def wish(person: AbstractBaseUser, ai_training: bool, *, all_takes: bool) -> int:
    """Changes the wish; how many takes changed with it. Releases that are out keep what they say."""
    # In turn with a take that is being stored under the wish.
    get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
    consent = Consent.latest_of(person)
    if consent is None:
        raise NotAllowed(str(NOTHING_AGREED))
    consent.ai_training = ai_training
    consent.save(update_fields=["ai_training"])
    return _change_takes(person, ai_training) if all_takes else 0


def _change_takes(person: AbstractBaseUser, ai_training: bool) -> int:
    others = Humming.objects.filter(singer=person).exclude(ai_training=ai_training)
    takes = list(others.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
    Humming.objects.filter(pk__in=takes).update(ai_training=ai_training)
    # A snapshot that is not out yet would say what its singer has taken back.
    removed.discard(removed.snapshots_with(Q(version_id__in=takes)))
    return len(takes)
