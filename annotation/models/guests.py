"""Guests: people who hum without an account. They may keep their takes by making one, or by signing in to one."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from annotation.models.slots import Lease
from annotation.models.studies import Participation
from recordings.models import Humming

# A guest has no password: the browser's cookie alone says who it is, so it lasts long.
GUEST_SESSION = timedelta(days=365)
# A guest who never got a phrase is forgotten after this long.
IDLE_AFTER = timedelta(days=30)


class GuestQuerySet(models.QuerySet["Guest"]):
    def idle(self) -> Self:
        """Agreed long ago, was never handed a phrase, gave no hum of a search and is in no study.

        Nothing on any device can come from them.
        """
        before = timezone.now() - IDLE_AFTER
        leases = Lease.objects.filter(person=OuterRef("person"))
        studies = Participation.objects.filter(person=OuterRef("person"))
        takes = Humming.objects.filter(singer=OuterRef("person"))
        idle = self.filter(created_at__lt=before).exclude(Exists(leases)).exclude(Exists(studies))
        return idle.exclude(Exists(takes))


class Guest(models.Model):
    """Marks an account that a guest has: it has no password, and a name that nobody chose."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="guest")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = GuestQuerySet.as_manager()

    def __str__(self) -> str:
        return f"guest {self.person_id}"

    @classmethod
    def forget_idle(cls) -> int:
        """Deletes the accounts of guests who came to nothing: how many there were."""
        idle = list(cls.objects.idle().values_list("person", flat=True))
        get_user_model().objects.filter(pk__in=idle).delete()
        return len(idle)

    @classmethod
    @transaction.atomic
    def arrive(cls) -> AbstractBaseUser:
        """A new guest's account."""
        person = get_user_model()(username=f"guest-{secrets.token_hex(8)}")
        person.set_unusable_password()
        person.save()
        cls.objects.create(person=person)
        return person

    @classmethod
    def is_one(cls, person: AbstractBaseUser | AnonymousUser) -> bool:
        return bool(person.is_authenticated) and cls.objects.filter(person=person).exists()
