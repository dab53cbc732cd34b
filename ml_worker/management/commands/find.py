"""Hum, and find the song, from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, BatchCommand, ProgressBar
from ml_worker.models import Job, SearchIndex
from ml_worker.pending import index_lacks_something
from ml_worker.running import run_here
from recordings.models import Recording

if TYPE_CHECKING:
    from ml_worker.finding import InUse


class Command(BatchCommand):
    help = "Finds the songs that a hum may be of: audio, MIDI or a pitch curve. The index is brought up to date first."
    needs_database = True
    parts = ("hum",)

    def add_own_arguments(self, parser: CommandParser) -> None:
        super().add_own_arguments(parser)
        parser.add_argument("--top", type=int, default=10, metavar="N", help="how many songs at most (10)")

    def work(self, **options: Any) -> None:
        if options["top"] < 1:
            raise BadInput("--top is a number from 1 on.")
        if not options["hum"] and not options["batch"]:
            raise BadInput("Name HUM, or use --batch FILE.tsv.")
        self.index = self.up_to_date()
        if options["batch"]:
            failed = self.work_through(Path(options["batch"]), options)
            if failed:
                self.give_up(f"Lines without an answer: {failed}. Each says why.")
            return
        found = self.answer_to(options["hum"], **options)
        for warning in found["warnings"] if not options["json"] else ():
            self.say(warning)
        self.answer(found, in_words(found), as_json=options["json"])

    def up_to_date(self) -> InUse:
        """The index, with every song that can be found by now."""
        from ml_worker.finding import Finder, NoIndex

        if index_lacks_something(SearchIndex.in_use()):
            with ProgressBar() as bar:
                job = run_here(Job.Kind.INDEX, on_progress=bar, on_wait=self.say)
            if job.state == Job.State.FAILED:
                self.give_up(job.failure)
        try:
            return Finder().index()
        except NoIndex as problem:
            builds_it = "`manage.py build_index` builds it, `manage.py analyse` prepares songs for it."
            self.give_up(f"{problem.why or problem} {builds_it}")

    def answer_to(self, *asked: str, **options: Any) -> dict[str, Any]:
        from ml_worker.audio.sound import UnusableAudio
        from ml_worker.finding import as_plain, hum_in
        from ml_worker.retrieval.hum_check import check_hum
        from ml_worker.retrieval.matcher import NothingHeard

        try:
            hum = hum_in(Path(asked[0]))
            check_hum(hum.melody, hum.sound)
            answer = self.index.searcher.find(hum.melody, top=options["top"] + SPARE)
        except (UnusableAudio, NothingHeard) as problem:
            raise BadInput(str(problem)) from problem
        told = as_plain(answer)
        return told | {"warnings": list(hum.warnings), "found": with_songs(told["found"])[: options["top"]]}


# A tune that is rather there than not, yet not surely so, is told to be unsure and not to be missing.
UNSURE_FROM = 0.5
# No search is surer than this, whatever rounding makes of it.
SUREST = 0.99
# Songs more than are asked for, as some of them may have been taken down this moment.
SPARE = 5


def with_songs(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was found with the songs' names; without those that were taken down."""
    ids = [UUID(one["recording"]) for one in found]
    recordings = Recording.objects.of_available_songs().select_related("song").in_bulk(ids)
    shown = [(recordings[pk].song, one) for pk, one in zip(ids, found, strict=True) if pk in recordings]
    return [
        {"rank": rank, "song": str(song.pk), "title": song.title, "artist": song.artist, **one}
        for rank, (song, one) in enumerate(shown, start=1)
    ]


def in_words(answer: dict[str, Any]) -> str:
    """A line for each song, and first whether the tune is there at all."""
    lines = [f"{whether_here(answer)} ({in_percent(answer['here'])} sure)."]
    for one in answer["found"]:
        place = f"{clock(one['start_s'])}–{clock(one['end_s'])}"
        sure = in_percent(one["probability"])
        lines.append(f"{one['rank']:>3}  {sure:>4}  {place:>11}  {one['title']} ({one['artist']})")
    return "\n".join(lines)


def whether_here(answer: dict[str, Any]) -> str:
    if answer["is_here"]:
        return "It is among the songs"
    if answer["here"] >= UNSURE_FROM:
        return "We are not sure that it is among the songs"
    return "It may not be among the songs"


def in_percent(probability: float) -> str:
    return f"{min(probability, SUREST):.0%}"


def clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
