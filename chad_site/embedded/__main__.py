"""`python -m chad_site.embedded run psql` (or pg_dump, pg_restore, …): PostgreSQL's programs on the embedded database.

`keep` is what users of the database call to start the keeper.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from chad_site.embedded import server
from chad_site.embedded.errors import EmbeddedError
from chad_site.embedded.keeper import keep
from chad_site.embedded.places import DATABASE, POSTGRES_PORT, ROLE, Places, chad_home
from chad_site.embedded.users import ensure_postgres


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chad_site.embedded", description=__doc__)
    verbs = parser.add_subparsers(required=True, dest="verb")
    verbs.add_parser("url", help="print the address of the embedded database")
    run = verbs.add_parser("run", help="run one of PostgreSQL's programs on the embedded database")
    run.add_argument("program")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    keeper = verbs.add_parser("keep", help="keep the server running while it is used (started by its users)")
    keeper.add_argument("home", type=Path)
    keeper.add_argument("word", type=int)
    keeper.add_argument("--throwaway", action="store_true")
    chosen = parser.parse_args()
    if chosen.verb == "keep":
        return detached_keep(chosen.home, chosen.word, chosen.throwaway)
    if chosen.verb == "url":
        print(f"postgresql://{ROLE}@/{DATABASE}?host={Places(chad_home()).sockets}")
        return 0
    return run_program(chosen.program, chosen.arguments)


def detached_keep(home: Path, word: int, throwaway: bool) -> int:
    """Keeps the server from a process that belongs to no terminal and to no parent."""
    if os.fork():
        return 0
    os.setsid()
    return keep(Places(home), word, throwaway)


def run_program(name: str, arguments: list[str]) -> int:
    """Runs psql, pg_dump and the like with the embedded database as their default."""
    home = chad_home()
    try:
        ensure_postgres(home)
    except EmbeddedError as problem:
        print(problem, file=sys.stderr)
        return 1
    where = {"PGHOST": str(Places(home).sockets), "PGPORT": POSTGRES_PORT, "PGUSER": ROLE, "PGDATABASE": DATABASE}
    return subprocess.run([server.program(name), *arguments], env=server.clean_environment() | where).returncode


if __name__ == "__main__":
    sys.exit(main())
