"""Makes `.venv` and installs requirements.txt, once. Needs Python 3.11 alone; the Makefile calls it.

    python3.11 -P chad_site/environment.py

A second call takes a moment: a stamp holds a hash of what was installed. An install that was interrupted leaves a
mark, and then everything is made anew, since half a package may lie there.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPOSITORY / "requirements.txt"
VENV = REPOSITORY / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
UNFINISHED = VENV / "unfinished"

VERSION = (3, 11)
# Measured with `du -sm .venv`: 2,400 MB, and pip unpacks beside that what it downloads. In megabytes.
NEEDED_MB = 4000
# Below this a failed install is put down to the disk being full, in megabytes.
FULL_DISK_MB = 100
# What pip says of packages that are there already.
DULL = ("Requirement already satisfied", "Looking in")


class Unfit(Exception):
    """The packages cannot be installed here. The text says why and what to do."""


def wanted() -> str:
    """What the stamp holds when this very list is installed under this very Python."""
    text = REQUIREMENTS.read_bytes() + f"python {sys.version}".encode()
    return hashlib.sha256(text).hexdigest()


def installed() -> str:
    try:
        return STAMP.read_text() if PYTHON.exists() else ""
    except OSError:
        return ""


def usable() -> bool:
    """Whether `.venv` was made to its end by this version of Python, and no install into it was interrupted."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    probe = f"import sys, pip; sys.exit(sys.version_info[:2] != {VERSION})"
    try:
        return subprocess.run([PYTHON, "-c", probe], capture_output=True).returncode == 0
    except OSError:
        return False


def free_megabytes() -> int:
    return shutil.disk_usage(REPOSITORY).free // 1_000_000


def check_disk(needed: int) -> None:
    free = free_megabytes()
    if free < needed:
        raise Unfit(f"The disk that holds {REPOSITORY} is full: {free} MB are free and the packages need {needed} MB.")


def check_python() -> None:
    if sys.version_info[:2] != VERSION:
        found = ".".join(map(str, sys.version_info[:3]))
        raise Unfit(f"CHAD needs Python 3.11, and this is {found}. Install it: apt-get install python3.11-venv")
    if importlib.util.find_spec("ensurepip") is None:
        raise Unfit("This Python cannot make environments. Install what it lacks: apt-get install python3.11-venv")


def make_venv() -> None:
    check_disk(NEEDED_MB)
    print(f"Making {VENV} …" if not VENV.exists() else f"{VENV} is unfinished; making it anew …", flush=True)
    if subprocess.run([sys.executable, "-m", "venv", "--clear", VENV]).returncode != 0:
        raise Unfit(f"{VENV} could not be made; the lines above say why.")


def install() -> None:
    UNFINISHED.touch()
    print("Installing the packages (some minutes the first time) …", flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", REQUIREMENTS]
    if run_shown(pip) != 0:
        check_disk(FULL_DISK_MB)
        raise Unfit("pip could not install the packages; the lines above say why. Is the network there? Try again.")
    STAMP.write_text(wanted())
    UNFINISHED.unlink()


def run_shown(command: list[str | Path]) -> int:
    """Runs pip and shows its lines as they come, without the hundred that say that nothing is to be done."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if not line.startswith(DULL):
                print(line, end="", flush=True)
    return process.returncode


def main() -> int:
    try:
        check_python()
        with REQUIREMENTS.open() as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            if installed() != wanted() or UNFINISHED.exists():
                if not usable():
                    make_venv()
                install()
    except (Unfit, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The next start makes the environment anew.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
