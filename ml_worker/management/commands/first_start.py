"""What a new instance needs before its first request: accounts and the starter catalogue. Safe at every start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from annotation.accounts import keep_passwords, make_first_accounts
from chad_site.commands import ChadCommand
from ml_worker.work.starter import announce_starter_catalogue


class Command(ChadCommand):
    help = "Makes the first accounts and announces the starter catalogue, where they are missing."

    def work(self, **options: Any) -> None:
        kept_in = Path(settings.CHAD_HOME) / "sign-in.txt"
        made = make_first_accounts()
        if made:
            keep_passwords(kept_in, made)
            self.say(f"Accounts made: {', '.join(made)}. Their passwords are in {kept_in}.")
        songs = announce_starter_catalogue()
        if songs:
            self.say(f"{songs} songs of the starter catalogue are announced; the workers render them now.")
        self.answer({"accounts": list(made), "songs": songs}, "Ready.", as_json=options["json"])
