"""Looks for what must not be in a release: addresses, paths and programs of people, and names from the database.

Free of Django. Nothing in the folder is believed: only plain files are opened, links are not followed, and memory does
not grow with the size of a file.
"""

from __future__ import annotations

import csv
import io
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import BinaryIO, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from recordings.release import layout, tables
from recordings.release.files.folder import files_of, is_plain

# The texts of a release, which the project and the publisher write, and the two programs that lie in it.
PROSE = frozenset(
    {
        *(layout.README, layout.LICENCE, layout.DATASHEET, layout.CHANGELOG, layout.CITATION),
        *(layout.CROISSANT, layout.DATACITE, layout.LOADER, layout.DOWNLOAD, layout.CARD),
    }
)
# Columns that hold what the world calls a song and who plays it.
PUBLIC_COLUMNS = frozenset({"title", "artist", "performer", "licence"})
# What a release says of anything, so that a user of that name is not meant.
OWN_WORDS = frozenset(
    word.casefold()
    for text in (
        *(*tables.DATASET_COLUMNS, *tables.VERSIONS_COLUMNS, *tables.REMOVED_COLUMNS, *tables.AUDIO_TYPES),
        *(*tables.SPLITS, *tables.LATENCY_METHODS, *tables.DEVICE_CLASSES, *tables.DECIDERS, *tables.WHY_NO_AUDIO),
        *(*tables.WHY_REMOVED, "True", "False", "file", "youtube", "generated"),
        *("flac", "metadata", "data", "dataset", "versions", "version", "tracks", "sha256sums", "removed", "chad"),
    )
    for word in re.findall(r"\w+", text)
)
# Shorter words are in every text by chance.
SHORTEST_SECRET = 4
# So many finds of one file are told; they are alike as a rule.
MOST_TOLD = 20
# Characters of a text looked at together, and how much of them is looked at again with the next ones, so that nothing
# is cut in two.
AT_ONCE = 1 << 20
LONGEST_FIND = 1_000
NEWLINE = "\n"
ROWS_AT_ONCE = 8

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?!\w)")
# Set aside for examples (RFC 2606, RFC 6761).
NO_DOMAINS = re.compile(r"(?:^|[.@])(?:example\.(?:com|net|org)|example|invalid|test|localhost)$", re.IGNORECASE)
# Not right after what announces a version, as in "v1.20.3.4", "tool==10.2.0.1", "Agent/3.1.0.22".
IPV4 = re.compile(
    r"(?<![\w.])(?<!==)(?<![<>~]=)(?<!/)(?<!\bversion )(?<!\bVersion )(?<!\brelease )(?<!\bRelease )"
    r"\d{1,3}(?:\.\d{1,3}){3}(?![\w-])(?!\.\d)"
)
IPV6 = re.compile(r"(?<![\w:.])[0-9a-f]{1,4}(?::{1,2}[0-9a-f]{1,4}){1,7}(?:::)?(?![\w:])", re.IGNORECASE)
# Addresses that anybody has today: global ones, those of a link, those of a house.
IPV6_IN_USE = tuple(IPv6Network(network) for network in ("2000::/3", "fe80::/10", "fc00::/7"))
IPV6_EXAMPLES = IPv6Network("2001:db8::/32")
PATH = re.compile(
    r"(?:file://|(?<![\w./:~}\])-]))/(?:home|Users|root|tmp|var|srv|opt|mnt|media|private|Volumes|workspace)/[\w.@+-]+"
    r"|(?<!\w)[A-Za-z]:(?:\\{1,2}|/)(?:Users|Documents and Settings|Windows|Program Files|ProgramData|Temp)\b"
    r"[^\s\"'<>|]*"
    r"|(?<!\w)[A-Z]:(?:\\{1,2}[\w.@+ -]+){2,}"
)
USER_AGENT = re.compile(
    r"(?<!\w)(?:Mozilla|AppleWebKit|Chrome|Chromium|CriOS|Safari|Firefox|FxiOS|Gecko|Opera|OPR|Edge?|EdgA|EdgiOS|"
    r"SamsungBrowser|Dalvik|okhttp|CFNetwork|Darwin)/\d[\w.]*"
)
WORD = re.compile(r"\w+")


def leaks_in(folder: Path, secrets: Iterable[str] = (), allowed: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """What a release's folder tells that it must not: the path of a file and a sentence for each find.

    Texts, tables, Parquet (with the audio in it), the metadata of FLAC and WAV, and the paths themselves are searched
    for e-mail addresses, IP addresses, absolute paths and user agents, and for each of `secrets`. Audio may have no
    metadata at all but what describes its samples. What was fetched on the reader's own machine is not looked at.

    Four numbers with dots between them are an address, unless one is above 255, all have one digit or the first is 0,
    as in numbers of sections, or a version is announced right before ("version ", "v", "==", "/").

    Args:
        folder: of the release.
        secrets: names of users, e-mail addresses, names of uploaded files and the like, as the database has them. They
            are looked for as whole words, whatever the case; those of fewer than four characters are not. Single words
            of letters alone, such as a user called "summer", are not looked for where the world's words are: in the
            texts, and in titles, artists, performers and licences; nor are words that every release has, such as
            "cover".
        allowed: finds that are right: the publisher's address, and names that are a song's as well.
    """
    search = _Search(_Secrets.of(secrets), frozenset(text.casefold() for text in allowed))
    for path in files_of(folder):
        if path.startswith(f"{layout.FETCHED}/"):
            continue
        told: dict[str, None] = dict.fromkeys(
            f"its name holds {find}" for find in search.finds(path, plain=not layout.is_ours(path))
        )
        if is_plain(folder / path):
            for sentence in _in_file(folder / path, path, search):
                told[sentence] = None
                if len(told) > MOST_TOLD:
                    break
        sentences = list(told)
        yield from ((path, sentence) for sentence in sentences[:MOST_TOLD])
        if len(sentences) > MOST_TOLD:
            yield path, "holds more of the kind"


@dataclass(frozen=True)
class _Secrets:
    """What is looked for word by word: a set, so that it does not matter how many there are.

    Attributes:
        whole: the secrets, from their first to their last letter, in lower case.
        lengths: of the first word of each, how many words those that begin with it have.
    """

    whole: frozenset[str] = frozenset()
    lengths: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, secrets: Iterable[str]) -> _Secrets:
        whole, lengths = set(), defaultdict(set)
        for secret in secrets:
            words = list(WORD.finditer(secret))
            if len(secret.strip()) < SHORTEST_SECRET or not words:
                continue
            core = secret[words[0].start() : words[-1].end()].casefold()
            if core not in OWN_WORDS:
                whole.add(core)
                lengths[words[0][0].casefold()].add(len(words))
        return cls(frozenset(whole), dict(lengths))

    def named_in(self, text: str, *, plain: bool) -> Iterator[str]:
        """`plain`: single words of letters alone count too."""
        if not self.whole:
            return
        words = list(WORD.finditer(text))
        for place, word in enumerate(words):
            for length in self.lengths.get(word[0].casefold(), ()):
                if place + length <= len(words):
                    found = text[word.start() : words[place + length - 1].end()]
                    if found.casefold() in self.whole and (plain or not found.isalpha()):
                        yield found


@dataclass(frozen=True)
class _Search:
    secrets: _Secrets
    allowed: frozenset[str]

    def finds(self, text: str, *, plain: bool) -> Iterator[str]:
        """What a text must not hold, in words."""
        kinds = [
            ("an e-mail address", _emails(text)),
            ("an IP address", _ipv4(text)),
            ("an IP address", _ipv6(text)),
            ("an absolute path", _matches(PATH, text, "/", "\\")),
            ("a user agent", _matches(USER_AGENT, text, "/")),
            ("a name from the database", self.secrets.named_in(text, plain=plain)),
        ]
        for kind, found in kinds:
            for what in found:
                if what.casefold() not in self.allowed:
                    yield f"{kind}: {what[:120]}"


def _matches(pattern: re.Pattern[str], text: str, *signs: str) -> Iterator[str]:
    """What matches, in a text that has one of the signs without which nothing does: most have none."""
    if any(sign in text for sign in signs):
        yield from (found[0] for found in pattern.finditer(text))


def _emails(text: str) -> Iterator[str]:
    yield from (found for found in _matches(EMAIL, text, "@") if not NO_DOMAINS.search(found))


def _ipv4(text: str) -> Iterator[str]:
    for found in _matches(IPV4, text, "."):
        parts = found.split(".")
        if parts[0] != "0" and any(len(part) > 1 for part in parts):
            try:
                address = IPv4Address(found)
            except AddressValueError:
                continue
            if not address.is_loopback and (address.is_global or address.is_private) and not _is_example(address):
                yield found


def _is_example(address: IPv4Address) -> bool:
    """Set aside for examples (RFC 5737)."""
    return str(address).startswith(("192.0.2.", "198.51.100.", "203.0.113."))


def _ipv6(text: str) -> Iterator[str]:
    for found in _matches(IPV6, text, ":"):
        try:
            address = IPv6Address(found)
        except AddressValueError:
            continue
        if any(address in network for network in IPV6_IN_USE) and address not in IPV6_EXAMPLES:
            yield found


def _in_file(file: Path, path: str, search: _Search) -> Iterator[str]:
    """Sentences about one file."""
    kind = Path(path).suffix.lower()
    if kind in (".flac", ".wav"):
        with file.open("rb") as audio:
            yield from _in_audio(audio)
    elif kind == ".parquet":
        yield from _in_parquet(file, search)
    else:
        with file.open(encoding="utf-8", errors="replace", newline="") as text:
            yield from (
                _in_table(text, search)
                if path in (tables.DATASET, tables.VERSIONS)
                else _in_text(text, search, plain=path not in PROSE)
            )


def _in_text(file: TextIO, search: _Search, *, plain: bool) -> Iterator[str]:
    line, text = 1, ""
    while True:
        block = file.read(AT_ONCE)
        text += block
        # Cut between words: half an address may look like another one.
        end = _last_space(text, len(text)) if block else len(text)
        for find in search.finds(text[:end], plain=plain):
            place = text.index(find.partition(": ")[2])
            yield f"line {line + text.count(NEWLINE, 0, place)} holds {find}"
        if not block:
            return
        kept = _last_space(text, max(0, end - LONGEST_FIND))
        line += text.count(NEWLINE, 0, kept)
        text = text[kept:]


def _last_space(text: str, end: int) -> int:
    """Right after the last space before `end`; `end` itself where none is near."""
    found = max(text.rfind(space, max(0, end - LONGEST_FIND), end) for space in (" ", NEWLINE, "\t"))
    return found + 1 or end


def _in_table(file: TextIO, search: _Search) -> Iterator[str]:
    """A CSV with a header; what is no table is told with the tables, and searched as far as it is one."""
    reader = csv.reader(file)
    try:
        header = next(reader, [])
        yield from (f"its header holds {find}" for find in search.finds("\n".join(header), plain=True))
        public = [place for place, column in enumerate(header) if column in PUBLIC_COLUMNS]
        for row in reader:
            of_the_world = "\n".join(row[place] for place in public if place < len(row))
            rest = "\n".join(cell for place, cell in enumerate(row) if place not in public)
            for text, plain in ((rest, True), (of_the_world, False)):
                yield from (f"line {reader.line_num} holds {find}" for find in search.finds(text, plain=plain))
    except csv.Error:
        file.seek(0)
        yield from _in_text(file, search, plain=False)


def _in_parquet(file: Path, search: _Search) -> Iterator[str]:
    """Every text in it, its own description included, and the metadata of the audio in it."""
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:
            for key, value in (table.schema_arrow.metadata or {}).items():
                text = f"{key.decode(errors='replace')}\n{value.decode(errors='replace')}"
                yield from (f"its description holds {find}" for find in search.finds(text, plain=False))
            for number, batch in enumerate(table.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False)):
                rows = f"rows {number * ROWS_AT_ONCE + 1} to {number * ROWS_AT_ONCE + len(batch)}"
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    for find in _in_column(column, search, plain=name not in PUBLIC_COLUMNS):
                        yield f"{rows}, column {name}: {find}"
    except (pa.ArrowException, OSError) as problem:
        yield f"cannot be read as Parquet, so nobody can say what it tells: {str(problem).splitlines()[0][:120]}"


def _in_column(column: pa.Array, search: _Search, *, plain: bool) -> Iterator[str]:
    kind = column.type
    if pa.types.is_struct(kind):
        for part in column.flatten():
            yield from _in_column(part, search, plain=plain)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _in_column(column.flatten(), search, plain=plain)
    elif pa.types.is_dictionary(kind):
        yield from _in_column(column.dictionary_decode(), search, plain=plain)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = "\n".join(value for value in column.to_pylist() if value)
        yield from (f"holds {find}" for find in search.finds(text, plain=plain))
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        for value in column:
            if value.is_valid:
                yield from _in_bytes(value.as_py(), search)


def _in_bytes(value: bytes, search: _Search) -> Iterator[str]:
    if value.startswith(AUDIO_BEGINS):
        yield from _in_audio(io.BytesIO(value))
    else:
        yield from (f"holds {find}" for find in search.finds(value.decode(errors="replace"), plain=False))


# What a FLAC's blocks are called, and what its samples need: figures of the stream, nothing, places to jump to.
FLAC_BLOCKS = {2: "APPLICATION", 4: "VORBIS_COMMENT", 5: "CUESHEET", 6: "PICTURE"}
FLAC_NEEDS = (0, 1, 3)
# The chunks of a WAV that its samples need.
WAV_NEEDS = (b"fmt ", b"fact", b"data")
# What may stand around audio of any kind: tags at the front, and 128 bytes at the end.
ID3_FRONT, ID3_END, ID3_END_BYTES = b"ID3", b"TAG", 128
AUDIO_BEGINS = (b"fLaC", b"RIFF", ID3_FRONT)


def _in_audio(file: BinaryIO) -> Iterator[str]:
    """Metadata of FLAC or WAV. What is neither is told where audio is read."""
    first = file.read(4)
    if first[:3] == ID3_FRONT:
        yield "holds metadata: an ID3 tag before the audio"
    elif first == b"fLaC":
        yield from _in_flac(file)
    elif first == b"RIFF":
        yield from _in_wav(file)
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - ID3_END_BYTES))
    tag = file.read(ID3_END_BYTES)
    # Any three bytes may stand there by chance, not a title as well.
    if size > ID3_END_BYTES and tag.startswith(ID3_END) and all(byte == 0 or byte >= 0x20 for byte in tag[3:33]):
        yield "holds metadata: an ID3 tag after the audio"


def _in_flac(file: BinaryIO) -> Iterator[str]:
    last = False
    while not last and len(header := file.read(4)) == 4:
        last, kind, length = bool(header[0] & 0x80), header[0] & 0x7F, int.from_bytes(header[1:])
        block = file.read(length)
        if kind == 4:
            yield from (f"holds metadata: the comment {comment[:120]!r}" for comment in _comments(block))
        elif kind == 1 and any(block):
            yield "holds metadata: padding that is not empty"
        elif kind not in FLAC_NEEDS:
            yield f"holds metadata: a block {FLAC_BLOCKS.get(kind, kind)}"


def _comments(block: bytes) -> Iterator[str]:
    """All comments of a Vorbis comment block but the vendor, which names the encoder."""
    try:
        (vendor,) = struct.unpack_from("<I", block)
        (count,) = struct.unpack_from("<I", block, 4 + vendor)
        place = 8 + vendor
        for _ in range(count):
            (length,) = struct.unpack_from("<I", block, place)
            yield block[place + 4 : place + 4 + length].decode(errors="replace")
            place += 4 + length
    except struct.error:
        yield block[:120].decode(errors="replace")


def _in_wav(file: BinaryIO) -> Iterator[str]:
    header = file.read(8)
    size = file.seek(0, io.SEEK_END)
    end = 8 + int.from_bytes(header[:4], "little")
    place = 12
    while place + 8 <= min(size, end):
        file.seek(place)
        chunk, length = struct.unpack("<4sI", file.read(8))
        if chunk not in WAV_NEEDS:
            yield f"holds metadata: a chunk {chunk.decode('latin-1')!r}"
        place += 8 + length + length % 2
    if size > end + end % 2:
        yield "holds something after the end of the audio"
