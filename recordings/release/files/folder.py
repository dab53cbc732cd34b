"""The folder of a release: whose it is, one writer at a time, and files that are there whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from recordings.release.errors import ReleaseRefused
from recordings.release.layout import CARD, SUMS, is_ours

PART = ".part"
BLOCK = 1 << 18


@contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Makes the folder and holds it, so that two exports never write into each other. A killed one lets go."""
    out.mkdir(parents=True, exist_ok=True)
    handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise ReleaseRefused(f"Another export writes to {out} right now. Wait until it is done.") from problem
        yield
    finally:
        os.close(handle)


def claim(out: Path, card: str) -> None:
    """Makes sure that the folder is empty or an export of the very release that `card` names, then puts it there.

    An export that never ended, of another snapshot of the same version, is what a discarded snapshot leaves behind: it
    makes room.
    """
    there = out / CARD
    if there.is_file() and _is_left_over(out, json.loads(card)):
        clear(out)
    if there.is_file():
        if there.read_text(encoding="utf-8", errors="replace") != card:
            raise ReleaseRefused(f"{out} holds {_name_on(there)}. Choose another folder.")
    elif any(path != there.with_name(there.name + PART) for path in _files_in(out)):
        raise ReleaseRefused(f"{out} is not empty, and what is in it is no release. Choose another folder.")
    write_whole(there, card.encode())


def _is_left_over(out: Path, wanted: dict[str, Any]) -> bool:
    """Whether a folder is a draft of the wanted version, but of another snapshot."""
    there = _draft_in(out)
    same = [there.get(name) == wanted[name] for name in ("dataset", "version", "snapshot")]
    return same == [True, True, False]


def _draft_in(out: Path) -> dict[str, Any]:
    """The card of a folder that was written and never became a release; nothing of any other."""
    try:
        card = json.loads((out / CARD).read_bytes())
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) and not (out / SUMS).exists() else {}


def clear(out: Path) -> None:
    """Removes what an export writes, and nothing else. The card comes last: by it, who goes on after a kill knows the
    folder."""
    for path in sorted(_files_in(out), key=lambda path: path == out / CARD):
        name = path.relative_to(out).as_posix().removesuffix(PART)
        if is_ours(name):
            path.unlink()
    for folder in sorted((path for path in out.rglob("*") if path.is_dir() and not path.is_symlink()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def is_draft_of(out: Path, snapshot: str) -> bool:
    """Whether a folder is what was written of this snapshot, and never became a release."""
    return snapshot_in(out) == snapshot


def snapshot_in(out: Path) -> str:
    """The snapshot of which a folder was written that never became a release; empty for any other folder."""
    return str(_draft_in(out).get("snapshot", ""))


def remove_parts(out: Path) -> None:
    """Removes what a killed export had not finished."""
    for path in files_of(out):
        if path.endswith(PART) and is_ours(path.removesuffix(PART)):
            (out / path).unlink()


def _name_on(card: Path) -> str:
    """How the release that a card belongs to is called, as far as it can be told."""
    try:
        facts = json.loads(card.read_bytes())
        return f"another release, {facts['dataset']} {facts['version']} ({facts['snapshot']})"
    except (ValueError, KeyError, TypeError):
        return "something else that looks like a release"


def _files_in(folder: Path) -> Iterator[Path]:
    """Every file and link below the folder; links are not followed."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        yield from (Path(parent, name) for name in names + links)


def files_of(folder: Path) -> list[str]:
    """Every file and link below the folder, by its path in it, in the order of the paths."""
    return sorted(path.relative_to(folder).as_posix() for path in _files_in(folder))


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file under another name and renames it, so that it is never seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART)
    part.write_bytes(data)
    part.replace(path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write a file; it gets its name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART)
    yield part
    part.replace(path)


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """A text file to write to, in UTF-8 with bare newlines; it gets its name when the block ends well."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        yield file


def is_plain(path: Path) -> bool:
    """Whether this is a file of its own: no link, and no pipe or device, which might never end."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_md5(path: Path) -> str:
    """As mirdata's indexes have it; no more than a check for damage."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, md5).hexdigest()


def file_digests(path: Path) -> tuple[str, str]:
    """SHA-256 and MD5 of a file, which is read once."""
    strong, plain = hashlib.sha256(), md5()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            strong.update(block)
            plain.update(block)
    return strong.hexdigest(), plain.hexdigest()


def md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
