"""Which songs a person knows, by their own word: what they know is handed out first."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models

from recordings.models import Song


class Familiarity(models.Model):
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="familiarities")
    song = models.ForeignKey(Song, models.CASCADE, related_name="familiarities")
    knows = models.BooleanField()
    at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "familiarities"
        constraints = [models.UniqueConstraint(fields=["person", "song"], name="one_word_on_a_song")]

    def __str__(self) -> str:
        return f"{self.person_id} {'knows' if self.knows else 'does not know'} {self.song}"

    @classmethod
    def say(cls, person: AbstractBaseUser, song: Song, knows: bool | None) -> None:
        """The person's word on a song; None takes it back."""
        if knows is None:
            cls.objects.filter(person=person, song=song).delete()
        else:
            cls.objects.update_or_create(person=person, song=song, defaults={"knows": knows})

    @classmethod
    def suppose_unknown(cls, person: AbstractBaseUser, song: Song) -> None:
        """Who skips a phrase as unknown hardly knows the song; what they said themselves stands."""
        cls.objects.get_or_create(person=person, song=song, defaults={"knows": False})
