"""Brings groups of covers in: from open lists, or from a folder of songs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from chad_site.celery import nudge
from chad_site.commands import BadInput, ChadCommand, ProgressBar
from ml_worker.chain import plural
from ml_worker.collecting.folders import read_folder
from ml_worker.collecting.lists import FORMATS, MAX_PROBLEMS, UnreadableList, read
from ml_worker.cover_lists import Plan, Terms, bring_in, plan_folder, plan_list
from recordings.models import Recording

# Lines that cannot be used are told up to so many; --json tells more.
PROBLEMS_TOLD = 20
# What comes in: one of it, and several.
MANY = {"original": ("original", "originals"), "cover": ("cover", "covers"), "search": ("search", "searches")}
# Songs of one run; the longest list has fewer.
MOST_SONGS = 1_000_000
MOST_LETTERS_OF_A_LICENCE = Recording._meta.get_field("licence").max_length


class Command(ChadCommand):
    help = (
        "Brings covers in from a list (SHS100K, Da-TACOS, Discogs-VI, a CSV) or a folder (song/version.ext). With "
        "--dry-run it says what would come. Videos are fetched by the workers, and the same list twice comes once."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", help="a list, or a folder with a folder for each song")
        parser.add_argument("--format", default="auto", choices=["auto", *FORMATS, "folder"])
        parser.add_argument("--dry-run", action="store_true", help="say what would come, and change nothing")
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many songs")
        parser.add_argument(
            "--propose",
            action="store_true",
            help="leave a list's covers to be approved one by one; its originals are fetched at once",
        )
        parser.add_argument(
            "--search", action="store_true", help="search for songs whose recordings the list names without a video"
        )
        parser.add_argument("--licence", default="", help="the licence of all of them, e.g. CC-BY-4.0")
        parser.add_argument("--redistributable", action="store_true", help="the licence lets them into releases")

    def work(self, **options: Any) -> None:
        refuse_odd_limit(options["limit"])
        if len(options["licence"]) > MOST_LETTERS_OF_A_LICENCE:
            raise BadInput(f"--licence has at most {MOST_LETTERS_OF_A_LICENCE} letters: name it, as in CC-BY-4.0.")
        if options["redistributable"] and not options["licence"]:
            raise BadInput("Name the licence that allows it: --licence.")
        source = Path(options["source"])
        plan = self.plan_of(source, options)
        done = {} if options["dry_run"] else self.bring(plan, source.name, options)
        told = plan.as_dict() | {"dry_run": options["dry_run"], "done": done}
        self.answer(told, in_words(told), as_json=options["json"])

    def plan_of(self, source: Path, options: dict[str, Any]) -> Plan:
        kind = "folder" if options["format"] == "auto" and source.is_dir() else options["format"]
        try:
            if kind == "folder":
                return plan_folder(read_folder(source), options["limit"])
            with source.open("rb") as file:
                found = read(file, kind, name=source.name)
        except UnreadableList as problem:
            raise BadInput(str(problem)) from problem
        except OSError as problem:
            raise BadInput(f"{source} cannot be read: {problem.strerror}.") from problem
        return plan_list(found, propose=options["propose"], search=options["search"], most=options["limit"])

    def bring(self, plan: Plan, name: str, options: dict[str, Any]) -> dict[str, int]:
        terms = Terms(name, options["propose"], options["search"], options["licence"], options["redistributable"])
        with ProgressBar() as bar:
            done = bring_in(plan, terms, lambda number, song: bar(number / len(plan.songs), song.title))
        nudge()
        return done


def refuse_odd_limit(limit: int | None) -> None:
    """Raises BadInput where --limit is no number of songs that can come in one run."""
    if limit is not None and not 1 <= limit <= MOST_SONGS:
        raise BadInput(f"--limit is a number of songs, from 1 to {MOST_SONGS:,}.")


def in_words(told: dict[str, Any]) -> str:
    """The answer for the person at the shell."""
    songs, problems, in_all = told["songs"], told["problems"], told["problems_in_all"]
    lines = [f"songs: {songs['new']} new, {songs['known']} known"] if told["recordings"] else ["Nothing can be used."]
    if songs["left_out"]:
        lines.append(f"songs left out, as none of their videos is named: {songs['left_out']}; --search looks for them")
    if songs["alone"]:
        lines.append(f"new songs without a cover, in which nothing can be mined: {songs['alone']}")
    lines += [f"{what}: {number}" for what, number in told["recordings"].items()]
    if told["originals_guessed"]:
        guessed = told["originals_guessed"]
        lines.append(f"songs with no original marked, or several (the earliest is taken, or the first): {guessed}")
    lines += [f"cannot be used, {one['place']}: {one['sentence']}" for one in problems[:PROBLEMS_TOLD]]
    if in_all > PROBLEMS_TOLD:
        more = in_all - PROBLEMS_TOLD
        lines.append(f"and {more:,} more that cannot be used; --json tells of the first {MAX_PROBLEMS:,}")
    if told["dry_run"]:
        lines.append("This was a dry run: nothing has changed.")
    else:
        came = ", ".join(f"{number} {plural(number, *MANY[what])}" for what, number in told["done"].items())
        lines.append(f"brought in: {came or 'nothing new'}")
    return "\n".join(lines)
