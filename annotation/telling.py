"""What singers tell of themselves: said, changed, taken back. No draft says what nobody tells any more."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from annotation.models import AboutSinger
from recordings.models import Humming
from recordings.release import removed


@transaction.atomic
def tell(person: AbstractBaseUser, answers: dict[str, str]) -> bool:
    """Keeps the answers, or forgets all where every one is empty; whether anything is kept."""
    get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
    if any(answers.values()):
        AboutSinger.objects.update_or_create(person=person, defaults=answers)
    else:
        AboutSinger.objects.filter(person=person).delete()
    _freeze_anew_without(person)
    return any(answers.values())


def forget(person: AbstractBaseUser) -> None:
    """Nothing is kept. Call in a transaction."""
    if AboutSinger.objects.filter(person=person).delete()[0]:
        _freeze_anew_without(person)


def _freeze_anew_without(person: AbstractBaseUser) -> None:
    hums = Humming.objects.filter(singer=person).order_by().values("pk")
    removed.discard(removed.snapshots_with(Q(version_id__in=hums)))
