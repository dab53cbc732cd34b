"""The first accounts of an instance: an admin, a reviewer and a singer, with passwords of their own."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import transaction

from annotation.roles import make_reviewer

# Letters and digits that nobody mistakes for one another.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def new_password() -> str:
    """Four groups of four, about 79 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))


@transaction.atomic
def make_first_accounts() -> dict[str, str]:
    """Makes those of the three that are missing: their names with their passwords."""
    people = get_user_model()
    made = {}
    for name in ("admin", "reviewer", "singer"):
        if people.objects.filter(username=name).exists():
            continue
        made[name] = new_password()
        is_admin = name == "admin"
        person = people.objects.create_user(name, password=made[name], is_staff=is_admin, is_superuser=is_admin)
        if name == "reviewer":
            make_reviewer(person)
    return made


def keep_passwords(path: Path, made: dict[str, str]) -> None:
    """Adds the passwords to a file that only its owner may read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as file:
        file.writelines(f"{name:<10} {password}\n" for name, password in made.items())
