"""Collects the messages of templates, code and scripts into the catalogues, and compiles those: `make messages`.

Run twice it changes nothing the second time. It needs GNU gettext; docs/languages.md says more.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.commands import makemessages

ROOT = Path(__file__).resolve().parent.parent
# Pages: what the server says. Scripts: what the browser says, sent by the view `words`.
EXTENSIONS = {"django": ["html", "py"], "djangojs": ["js"]}
# Beside everything that begins with a dot. What admins and reviewers read is in English, and so is not marked.
LEFT_OUT = ["docs", "node_modules", "shared", "tests", "var", "vendor"]
TOOLS = ("xgettext", "msguniq", "msgmerge", "msgattrib", "msgfmt")
CREATION_DATE = re.compile(r'^"POT-Creation-Date:.*\n', re.MULTILINE)


class Collection(makemessages.Command):
    """Django's command, without guesses: a translation stands for its message, not for one that is like it."""

    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]


def catalogues() -> list[Path]:
    """The .po file of every domain in every language but English, whose messages are the code's own."""
    languages = [code for code, _ in settings.LANGUAGES if code != "en"]
    folder = settings.LOCALE_PATHS[0]
    return [folder / code / "LC_MESSAGES" / f"{domain}.po" for code in languages for domain in EXTENSIONS]


def collect() -> None:
    """Brings the catalogues up to date with the code. A new message comes without a translation."""
    languages = sorted({file.parts[-3] for file in catalogues()})
    with contextlib.chdir(ROOT):
        for domain, extensions in EXTENSIONS.items():
            call_command(
                Collection(),
                locale=languages,
                domain=domain,
                extensions=extensions,
                ignore_patterns=list(LEFT_OUT),
                add_location="file",
                no_obsolete=True,
                verbosity=0,
            )
    for file in catalogues():
        file.write_text(CREATION_DATE.sub("", file.read_text(encoding="utf-8")), encoding="utf-8")


def compiled(catalogue: Path) -> str:
    """Writes the .mo file beside the catalogue, and says how much of it is translated."""
    command = ["msgfmt", "--check", "--statistics", f"--output-file={catalogue.with_suffix('.mo')}", str(catalogue)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(done.stderr)
    return done.stderr.strip()


def main() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        sys.exit(f"GNU gettext is needed, and {', '.join(missing)} cannot be found: apt-get install gettext")
    django.setup()
    try:
        collect()
        for catalogue in catalogues():
            print(f"{catalogue.relative_to(ROOT)}: {compiled(catalogue)}")
    except CommandError as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
