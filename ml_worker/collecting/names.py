"""Titles and artists as they are compared, and the ids of videos."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import parse_qs, urlsplit

# Unicode categories that no database and no line of output takes.
NO_TEXT = ("Cc", "Cs", "Zl", "Zp")

VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")
HOSTS = ("youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com")
SHORT_HOST = "youtu.be"
# Paths of addresses that end with the id: youtube.com/v/ID.
PATHS = ("v", "embed", "shorts", "live")

# Discogs and SecondHandSongs number artists of the same name: "Jimmie Rodgers [1]", "The Bittersweets (2)".
NUMBER_OF_A_NAMESAKE = re.compile(r"\s*(?:\[\d+\]|\(\d+\))$")
# What channels add to the name of an artist: "Adele - Topic", "AdeleVEVO", "Adele Official".
CHANNEL_ADDS = re.compile(r"(?:\s*-\s*topic|\s*vevo|\s+official(?:\s+(?:channel|artist channel))?|\s+music)$", re.I)


def tidy(text: str) -> str:
    """The text on one line, without doubled space, control characters and halves of characters (surrogates)."""
    visible = "".join(" " if unicodedata.category(letter) in NO_TEXT else letter for letter in text)
    return " ".join(visible.split())


def artist_of(text: str) -> str:
    """An artist's name without the number that catalogues give to namesakes."""
    return NUMBER_OF_A_NAMESAKE.sub("", tidy(text))


def artist_of_channel(channel: str) -> str:
    """The artist whom a channel is named after."""
    return CHANNEL_ADDS.sub("", tidy(channel))


def key_of(text: str) -> str:
    """What two spellings of one name share: letters and digits in lower case, accents and marks left out.

    A name of marks alone is compared by them.
    """
    decomposed = text
    for _ in range(2):  # what a sign is made of may be in capitals: the letter A in a circle
        decomposed = unicodedata.normalize("NFKD", decomposed.casefold())
    letters = "".join(letter if letter.isalnum() else " " for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(letters.split()) or tidy(decomposed)


def words_of(text: str) -> list[str]:
    return key_of(text).split()


def video_id_of(text: str) -> str:
    """The id in a video's id or address; "" where there is none."""
    text = text.strip()
    if VIDEO_ID.fullmatch(text):
        return text
    try:
        address = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:  # "https://[", say
        return ""
    parts = [part for part in address.path.split("/") if part]
    host = (address.netloc or "").casefold()
    if host in HOSTS and parts[:1] == ["watch"]:
        found = parse_qs(address.query).get("v", [""])[0]
    elif host in HOSTS and len(parts) == 2 and parts[0] in PATHS:
        found = parts[1]
    elif host == SHORT_HOST and len(parts) == 1:
        found = parts[0]
    else:
        return ""
    return found if VIDEO_ID.fullmatch(found) else ""
