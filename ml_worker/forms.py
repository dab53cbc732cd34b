"""Forms of the admin's pages."""

from __future__ import annotations

from typing import Any

from django import forms

from recordings.importing import About, import_file, import_video
from recordings.models import Recording, Song


class ImportForm(forms.Form):
    """A recording from a file or a video: of a new song, or a cover of one that is here."""

    source = forms.ChoiceField(choices=[("file", "A file"), ("youtube", "YouTube")], initial="file")
    file = forms.FileField(
        required=False, label="Audio file", help_text="WAV, FLAC, MP3, M4A, OGG, WebM: what browsers and phones make."
    )
    youtube = forms.CharField(
        required=False,
        max_length=300,
        label="Address or id of the video",
        help_text="Its audio is fetched once, and kept here.",
    )
    cover_of = forms.ModelChoiceField(
        Song.objects.available(), required=False, label="A cover of", empty_label="no song here: it is an original"
    )
    title = forms.CharField(required=False, max_length=300)
    artist = forms.CharField(max_length=300, error_messages={"required": "Name who plays or sings it."})
    licence = forms.CharField(required=False, max_length=200, help_text="For example CC-BY-4.0. Empty if unknown.")
    redistributable = forms.BooleanField(required=False, label="The licence lets its audio into releases")

    def clean(self) -> dict[str, Any]:
        sent = super().clean()
        if sent.get("source") == "youtube":
            self._need("youtube", "Name the video, by its address or its id.")
        elif "file" not in self.errors:
            self._need("file", "Choose a file with sound in it.")
        if not sent.get("cover_of") and "cover_of" not in self.errors:
            self._need("title", "A song needs a title.")
        if sent.get("redistributable"):
            self._need("licence", "Name the licence that allows it.")
        return sent

    def _need(self, field: str, sentence: str) -> None:
        if not self.cleaned_data.get(field) and field not in self.errors:
            self.add_error(field, sentence)

    @property
    def source_field(self) -> str:
        """The field that names what is brought in."""
        return self.cleaned_data["source"]

    def bring_in(self) -> tuple[Recording, bool]:
        """The recording, and whether it is new. Raises ImportRefused, whose sentence belongs to `source_field`."""
        sent = self.cleaned_data
        song = sent["cover_of"]
        title = song.title if song else sent["title"]
        about = About(title, sent["artist"], song, sent["licence"], sent["redistributable"])
        if sent["source"] == "youtube":
            return import_video(sent["youtube"], about)
        return import_file(sent["file"], about)

    def sentences(self) -> dict[str, list[str]]:
        """What is wrong, by field; of the form as a whole under ""."""
        return {("" if name == "__all__" else name): list(errors) for name, errors in self.errors.items()}
