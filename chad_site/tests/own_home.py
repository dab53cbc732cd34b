"""A CHAD_HOME of the tests' own: made before settings load, removed when pytest ends."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path

from chad_site.embedded import locks, release_postgres
from chad_site.embedded.places import Places
from chad_site.embedded.users import THROWAWAY

PREFIX = "chad-test-"
# A home of a pytest that was killed is removed by a later one, once it is this old. Younger ones may be in use.
ABANDONED_AFTER_S = 3600.0
# What would lead a test to somebody's real server or files: these, and CHAD's own variables but for two.
LEADS_ELSEWHERE = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "PORT")
FOR_TESTS = ("CHAD_SHARED_DATA", "CHAD_CHROMIUM")


def forget_the_developers_settings() -> None:
    own = [name for name in os.environ if name.startswith("CHAD_") and name not in FOR_TESTS]
    for name in (*own, *LEADS_ELSEWHERE):
        os.environ.pop(name, None)


def make() -> Path:
    """A fresh home, which the environment of this process (and of what it starts) names from now on."""
    remove_abandoned()
    home = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    forget_the_developers_settings()
    os.environ |= {"CHAD_HOME": str(home), THROWAWAY: "1"}
    atexit.register(remove, home, os.getpid())
    os.fsync = forget_the_disk
    return home


def forget_the_disk(descriptor: int) -> None:
    """Does nothing: what tests write has to survive no power cut. The database does without syncing for them, too."""


def set_up_django() -> None:
    """Loads the settings, now that the environment names the home."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "chad_site.settings"
    import django
    from django.conf import settings

    django.setup()
    # Static files are looked up as they are asked for. Else every client of a test would go through all of them first.
    settings.WHITENOISE_AUTOREFRESH = True


def remove(home: Path, owner: int) -> None:
    """Ends the home's database and deletes everything. A forked child of the owner leaves it alone."""
    if os.getpid() != owner:
        return
    release_postgres(home)
    shutil.rmtree(Places(home).sockets, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def remove_abandoned() -> None:
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            old = home.owner() == Path("/proc/self").owner() and time.time() - home.stat().st_mtime > ABANDONED_AFTER_S
            abandoned = old and unused(home)
        except (OSError, KeyError):  # another process was first
            continue
        if abandoned:
            shutil.rmtree(home, ignore_errors=True)


def unused(home: Path) -> bool:
    """Whether no process uses the home's database."""
    if not Places(home).run.exists():
        return True
    fd = locks.try_exclusive(Places(home).users_lock)
    if fd is not None:
        os.close(fd)
    return fd is not None
