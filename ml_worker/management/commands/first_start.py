"""What a new instance needs before its first request: accounts, the starter catalogue and the starter checkpoints.

Safe at every start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from annotation.accounts import keep_passwords, make_first_accounts
from chad_site.commands import ChadCommand
from ml_worker.work.starter import announce_starter_catalogue, install_starter_checkpoints


class Command(ChadCommand):
    help = "Makes the first accounts, announces the starter catalogue and installs the starter checkpoints, if missing."

    def work(self, **options: Any) -> None:
        kept_in = Path(settings.CHAD_HOME) / "sign-in.txt"
        made = make_first_accounts()
        if made:
            keep_passwords(kept_in, made)
            self.say(f"Accounts made: {', '.join(made)}. Their passwords are in {kept_in}.")
        songs = announce_starter_catalogue()
        if songs:
            self.say(f"{songs} songs of the starter catalogue are announced; the workers render them now.")
        checkpoints = install_starter_checkpoints()
        if checkpoints:
            self.say(f"Starter checkpoints installed: {', '.join(checkpoints)}.")
        answer = {"accounts": list(made), "songs": songs, "checkpoints": checkpoints}
        self.answer(answer, "Ready.", as_json=options["json"])
