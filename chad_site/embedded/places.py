"""Where an instance keeps what: one folder, CHAD_HOME, and its unix sockets."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from chad_site.embedded.errors import EmbeddedError, as_sentences

REPOSITORY = Path(__file__).resolve().parents[2]

# A unix socket's address holds 108 bytes, the last of them a zero.
LONGEST_SOCKET_PATH = 107
# PostgreSQL names its socket itself and puts a lock file with a longer name beside it.
POSTGRES_PORT = "5432"
POSTGRES_SOCKET = f".s.PGSQL.{POSTGRES_PORT}"
# Paths of sockets become parts of URLs and of comma-separated options; other characters are not worth the trouble.
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")

ROLE = "chad"
DATABASE = "chad"


def chad_home() -> Path:
    """The folder with all state of this instance: CHAD_HOME from the environment, else `var` in the repository."""
    return Path(os.environ.get("CHAD_HOME") or REPOSITORY / "var").resolve()


@dataclass(frozen=True)
class Places:
    """The folders and files of the embedded services of one instance."""

    home: Path

    @property
    def postgres_data(self) -> Path:
        return self.home / "postgres"

    @property
    def redis_data(self) -> Path:
        return self.home / "redis"

    @property
    def logs(self) -> Path:
        return self.home / "log"

    @property
    def run(self) -> Path:
        """Lock files and the like: nothing here outlives its process in meaning."""
        return self.home / "run"

    @property
    def users_lock(self) -> Path:
        """Held shared by each process that uses the database, exclusively by the keeper while it stops the server."""
        return self.run / "postgres.users"

    @property
    def start_lock(self) -> Path:
        """Held by the one process that starts a keeper and waits for it."""
        return self.run / "postgres.start"

    @property
    def server_lock(self) -> Path:
        """Held by the keeper *and* by every process of the server: free means that no server is left."""
        return self.run / "postgres.server"

    @property
    def sockets(self) -> Path:
        """The private folder of the unix sockets: in the home, or in /tmp where the home's path is too long or odd."""
        inside = self.home / "sockets"
        longest = inside / (POSTGRES_SOCKET + ".lock")
        if len(os.fsencode(longest)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(str(inside)):
            return inside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path("/tmp") / f"chad-{os.getuid()}-{name}"

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / POSTGRES_SOCKET

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    def prepare(self) -> None:
        """Makes the folders. Raises EmbeddedError where they cannot be made, or are not private."""
        with as_sentences(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            for folder in (self.logs, self.run):
                folder.mkdir(exist_ok=True)
        make_private(self.sockets)


def make_private(folder: Path) -> None:
    """Makes a folder that only this user can enter, and refuses one that somebody else made under its name.

    Whoever can enter the folder of the sockets is let into the database, and /tmp is everybody's.
    """
    with as_sentences(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    mine = stat.S_ISDIR(found.st_mode) and (found.st_uid == os.getuid() or os.getuid() == 0)
    if not mine:
        raise EmbeddedError(f"{folder} belongs to somebody else. Remove it, or set CHAD_HOME to a shorter path.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def free_megabytes(folder: Path) -> int:
    """Free space for this user on the disk of `folder` (or of its nearest parent that exists), in megabytes."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 1_000_000


def postgres_settings(home: Path) -> dict[str, str]:
    """Django's DATABASES entry for the embedded PostgreSQL of `home`."""
    return {
        "ENGINE": "chad_site.postgresql",
        "NAME": DATABASE,
        "USER": ROLE,
        "HOST": str(Places(home).sockets),
        "PORT": POSTGRES_PORT,
    }


def redis_url(home: Path) -> str:
    """Celery's broker URL for the embedded Redis of `home`."""
    return f"redis+socket://{Places(home).redis_socket}?virtual_host=0"
