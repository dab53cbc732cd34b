"""Every change of state leaves a row: before, after, why, who, when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, transaction

from chad_site.errors import NotAllowed

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


class StateChange(models.Model):
    """One change of state of a humming, a cover fragment or a cover candidate."""

    subject = models.CharField(max_length=40)
    subject_id = models.UUIDField(db_index=True)
    before = models.CharField(max_length=20)
    after = models.CharField(max_length=20)
    why = models.TextField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id}: {self.before} -> {self.after} ({self.why})"


class Stateful(models.Model):
    """A row with a life: `NEXT` says which states follow which, and each change is written down."""

    NEXT: dict[str, set[str]] = {}

    class Meta:
        abstract = True

    @transaction.atomic
    def move_to(self, state: str, *, why: str, person: AbstractBaseUser | None = None) -> None:
        """Changes the state, or refuses and names the present one. Writes the row of the change."""
        present = type(self).objects.select_for_update().values_list("state", flat=True).get(pk=self.pk)
        if state not in self.NEXT[present]:
            raise NotAllowed(f"This {self._meta.verbose_name} is {present}; it cannot become {state}.")
        self.state = state
        self.save(update_fields=["state"])
        StateChange.objects.create(
            subject=self._meta.model_name, subject_id=self.pk, before=present, after=state, why=why, person=person
        )

    @property
    def history(self) -> models.QuerySet[StateChange]:
        return StateChange.objects.filter(subject=self._meta.model_name, subject_id=self.pk)
