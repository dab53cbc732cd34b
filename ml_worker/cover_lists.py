"""Lists and folders of covers brought in: first what would come, then, where it is wanted, the rows.

What comes is worked out from the rows that are here, so a run that was stopped goes on where it was, and a second one
changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.core.files import File
from django.db import connection, transaction

from chad_site.errors import NotAllowed
from ml_worker.collecting.folders import FolderRead, FolderRecording
from ml_worker.collecting.lists import Group, ListedRecording, ListRead, groups_of
from ml_worker.collecting.names import key_of
from ml_worker.models import Job
from recordings import candidates
from recordings.importing import About, ImportRefused, import_file, import_video
from recordings.models import CoverCandidate, Recording, Song
from recordings.storage import sha256_of

State = CoverCandidate.State


class What(StrEnum):
    """What becomes of a recording that a list names."""

    ORIGINAL = "original"
    COVER = "cover"
    SEARCH = "without a video"
    HERE = "here already"
    REFUSED = "refused before"
    TWICE = "given twice"
    ELSEWHERE = "here in another song"
    SECOND_ORIGINAL = "second original"


COMES = (What.ORIGINAL, What.COVER)


@dataclass(frozen=True)
class Terms:
    """How recordings come in.

    Attributes:
        name: of the list, as candidates name what found them.
        propose: covers are proposed to a person, rather than approved with the list.
        search: songs of which the list names recordings without a video are searched for.
    """

    name: str
    propose: bool = False
    search: bool = False
    licence: str = ""
    redistributable: bool = False
    person: AbstractBaseUser | None = None


@dataclass(frozen=True)
class Item:
    """One recording of the plan."""

    row: ListedRecording | FolderRecording
    what: What


@dataclass
class PlannedSong:
    """A song of the plan; `song` is the row that it is here, if it is."""

    title: str
    artist: str
    song: Song | None
    is_guessed: bool = False
    items: list[Item] = field(default_factory=list)

    def count(self, *whats: What) -> int:
        return sum(item.what in whats for item in self.items)

    def is_new(self, search: bool) -> bool:
        """It is not here, and something of it comes, or is searched for."""
        return self.song is None and bool(self.count(*COMES) or (search and self.count(What.SEARCH)))

    def is_left_out(self, search: bool) -> bool:
        """It is not here and nothing of it comes, but it could be searched for."""
        return self.song is None and not self.is_new(search) and bool(self.count(What.SEARCH))

    def is_alone(self, search: bool) -> bool:
        """It is new and has no cover, and none is searched for: there is nothing to mine."""
        return self.is_new(search) and not self.count(What.COVER) and not (search and self.count(What.SEARCH))


@dataclass
class Plan:
    """What would come.

    Attributes:
        problems: (place, sentence) of what cannot be used.
        search: songs of which the list names recordings without a video are searched for.
        more_problems: how many more there are, that were not kept.
    """

    songs: list[PlannedSong]
    problems: list[tuple[str, str]]
    search: bool = False
    more_problems: int = 0

    def as_dict(self, most_problems: int | None = None) -> dict[str, Any]:
        """In plain values; of the problems the first, at most so many, and how many there are."""
        counts = Counter(item.what for song in self.songs for item in song.items)
        return {
            "songs": {
                "new": sum(song.is_new(self.search) for song in self.songs),
                "known": sum(song.song is not None for song in self.songs),
                "left_out": sum(song.is_left_out(self.search) for song in self.songs),
                "alone": sum(song.is_alone(self.search) for song in self.songs),
            },
            "recordings": {what.value: counts[what] for what in What if counts[what]},
            "originals_guessed": sum(song.is_guessed and song.count(What.ORIGINAL) > 0 for song in self.songs),
            "problems": [{"place": place, "sentence": sentence} for place, sentence in self.problems[:most_problems]],
            "problems_in_all": len(self.problems) + self.more_problems,
            "table": [_row_of(song, self.search) for song in self.songs],
        }


def _row_of(song: PlannedSong, search: bool) -> dict[str, Any]:
    others = Counter(item.what for item in song.items if item.what not in COMES)
    return {
        "title": song.title,
        "artist": song.artist,
        "song": str(song.song.pk) if song.song else None,
        "is_new": song.is_new(search),
        "originals": song.count(What.ORIGINAL),
        "covers": song.count(What.COVER),
        "others": {what.value: number for what, number in others.items()},
    }


# ---------------------------------------------------------------- what would come


class Known:
    """What is here, by what lists know it by; with what the plan itself adds."""

    def __init__(self) -> None:
        self.by_id = {song.pk: song for song in Song.objects.order_by("-created_at")}
        # Of songs with one name the oldest.
        self.songs = {_key(song.title, song.artist): song for song in self.by_id.values()}
        videos = Recording.objects.exclude(youtube_id="").values_list("youtube_id", "song")
        self.videos: dict[str, UUID] = dict(videos)
        self.with_original = set(Recording.objects.originals().values_list("song", flat=True))
        decided = CoverCandidate.objects.values_list("song", "youtube_id", "state")
        self.candidates = {(song, video): state for song, video, state in decided}
        self.seen: set[str] = set()

    def song_of(self, group: Group) -> Song | None:
        """The song here that a group is: by title and artist of the group or of a recording, else by a video."""
        names = [(group.title, group.artist), *((row.title, row.artist) for row in group.rows)]
        for title, artist in names:
            if artist and (song := self.songs.get(_key(title, artist))):
                return song
        held = (self.videos[row.youtube_id] for row in group.rows if row.youtube_id in self.videos)
        return next((self.by_id[pk] for pk in held if pk in self.by_id), None)


def _key(title: str, artist: str) -> tuple[str, str]:
    return key_of(title), key_of(artist)


def plan_list(read: ListRead, *, propose: bool = False, search: bool = False, most: int | None = None) -> Plan:
    """What a list would bring in, of at most so many songs. Changes nothing."""
    known = Known()
    songs = [_plan_group(group, known, propose) for group in groups_of(read.rows, most)]
    problems = [(problem.place, problem.sentence) for problem in read.problems]
    return Plan(_together(songs), problems, search, read.more_problems)


def _together(songs: Iterable[PlannedSong]) -> list[PlannedSong]:
    """Groups of one title and artist are one song: its second original is none."""
    found: dict[tuple[str, str], PlannedSong] = {}
    for song in songs:
        first = found.setdefault(_key(song.title, song.artist), song)
        if first is song:
            continue
        for item in song.items:
            again = item.what == What.ORIGINAL and first.count(What.ORIGINAL)
            first.items.append(Item(item.row, What.SECOND_ORIGINAL) if again else item)
    return list(found.values())


def _plan_group(group: Group, known: Known, propose: bool) -> PlannedSong:
    song = known.song_of(group)
    planned = PlannedSong(group.title, group.artist, song, group.is_guessed)
    for row in group.rows:
        what = _what_of(row, song, known, propose)
        if what == What.COVER and row is group.original:
            what = _what_of_original(song, known, group.is_guessed)
        planned.items.append(Item(row, what))
        known.seen.add(row.youtube_id)
    return planned


def _what_of(row: ListedRecording, song: Song | None, known: Known, propose: bool) -> What:
    if not row.youtube_id:
        return What.SEARCH
    if row.youtube_id in known.seen:
        return What.TWICE
    if row.youtube_id in known.videos:
        return What.HERE if song and known.videos[row.youtube_id] == song.pk else What.ELSEWHERE
    state = known.candidates.get((song.pk, row.youtube_id)) if song else None
    if state == State.REFUSED:
        return What.REFUSED
    return What.HERE if state == State.APPROVED or (state and propose) else What.COVER


def _what_of_original(song: Song | None, known: Known, is_guessed: bool) -> What:
    """An original of which the list only lets us guess that it is one is a cover where its song has one."""
    if song is None or song.pk not in known.with_original:
        return What.ORIGINAL
    return What.COVER if is_guessed else What.SECOND_ORIGINAL


def plan_folder(read: FolderRead, most: int | None = None) -> Plan:
    """What a folder would bring in, of at most so many songs: each file is read through once. Changes nothing."""
    known = Known()
    digests = set(Recording.objects.exclude(upload_sha256="").values_list("upload_sha256", flat=True))
    seen: set[str] = set()
    songs: dict[str, PlannedSong] = {}
    for row in read.rows:
        if row.song not in songs:
            if len(songs) == most:
                break
            song = known.songs.get(_key(row.title, row.artist))
            songs[row.song] = PlannedSong(row.title, row.artist, song)
        planned = songs[row.song]
        with row.path.open("rb") as file:
            digest = sha256_of(File(file))
        planned.items.append(Item(row, _what_of_file(row, planned, digest, digests, seen, known)))
        seen.add(digest)
    return Plan(list(songs.values()), [(problem.place, problem.sentence) for problem in read.problems])


def _what_of_file(
    row: FolderRecording, planned: PlannedSong, digest: str, digests: set[str], seen: set[str], known: Known
) -> What:
    if digest in digests:
        return What.HERE
    if digest in seen:
        return What.TWICE
    has_original = planned.song is not None and planned.song.pk in known.with_original
    return What.ORIGINAL if row.is_original and not has_original else What.COVER


# ---------------------------------------------------------------- bringing it in

OnSong = Callable[[int, PlannedSong], None]


def bring_in(plan: Plan, terms: Terms, on_song: OnSong = lambda number, song: None) -> dict[str, int]:
    """Brings the plan in, song by song, and gives how many originals, covers and searches came of it.

    A song comes with all its recordings or not at all. What cannot come after all is added to the plan's problems, as
    the first of them.
    `on_song` is told the number of each song, from 1, before it comes.
    """
    came: Counter[str] = Counter()
    refused: list[tuple[str, str]] = []
    for number, planned in enumerate(plan.songs, start=1):
        on_song(number, planned)
        try:
            came += _bring_song(planned, terms)
        except (NotAllowed, ImportRefused) as problem:
            refused.append((planned.title, str(problem)))
    plan.problems[:0] = refused
    return dict(came)


@transaction.atomic
def _bring_song(planned: PlannedSong, terms: Terms) -> Counter[str]:
    done: Counter[str] = Counter()
    if planned.song is None and not planned.is_new(terms.search):
        return done
    _wait_for_others_with(planned)
    # Another list may have brought the song in since this one was planned.
    song = planned.song or Song.objects.filter(title__iexact=planned.title, artist__iexact=planned.artist).first()
    is_new_song = song is None
    if song and song.taken_down_at:
        raise NotAllowed(f"{song} was taken down. Put it back first.")
    song = song or Song.objects.create(title=planned.title, artist=planned.artist)
    for item in sorted(planned.items, key=lambda item: item.what != What.ORIGINAL):
        if item.what not in COMES or (item.what == What.ORIGINAL and song.original):
            continue
        if _bring_item(item, song, terms):
            done[item.what.value] += 1
    if terms.search and planned.count(What.SEARCH) and not _was_searched_for(song):
        Job.ask(Job.Kind.SEARCH, song.pk)
        done["search"] += 1
    if is_new_song and not done:
        raise ImportRefused("All its recordings came in with another song just now. Bring the list in again.")
    return done


def _wait_for_others_with(planned: PlannedSong) -> None:
    """Until this transaction ends, nobody else brings in a song of this title and artist."""
    with connection.cursor() as cursor:
        key = f"song {_key(planned.title, planned.artist)}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def _bring_item(item: Item, song: Song, terms: Terms) -> bool:
    """Whether it is new: what came in since the plan was made is left as it is."""
    if isinstance(item.row, FolderRecording):
        return _bring_file(item, song, terms)
    if item.what == What.ORIGINAL:
        return import_video(item.row.youtube_id, _about(song, item, terms))[1]
    return _bring_cover(item.row, song, terms)


def _was_searched_for(song: Song) -> bool:
    """It was, or it waits to be."""
    asked = Job.objects.filter(kind=Job.Kind.SEARCH, subject=str(song.pk))
    return song.cover_searches.exists() or asked.exists()


def _about(song: Song, item: Item, terms: Terms) -> About:
    is_original = item.what == What.ORIGINAL
    performer = item.row.performer if isinstance(item.row, FolderRecording) else item.row.artist
    return About(
        title=song.title,
        artist=performer or song.artist,
        cover_of=None if is_original else song,
        original_of=song if is_original else None,
        licence=terms.licence,
        redistributable=terms.redistributable,
    )


def _bring_file(item: Item, song: Song, terms: Terms) -> bool:
    with item.row.path.open("rb") as file:
        return import_file(File(file), _about(song, item, terms))[1]


def _bring_cover(row: ListedRecording, song: Song, terms: Terms) -> bool:
    candidate, is_new = CoverCandidate.objects.get_or_create(
        song=song,
        youtube_id=row.youtube_id,
        defaults={"title": row.title, "channel": row.artist, "found_by": terms.name},
    )
    if terms.propose or candidate.state in CoverCandidate.DECIDED:
        return is_new
    candidates.approve(
        candidate, terms.person, why=f"In the list {terms.name}.",
        licence=terms.licence, redistributable=terms.redistributable,
    )  # fmt: skip
    return True
