"""Where this instance keeps the releases that its pages make."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def folder_of(version: str) -> Path:
    return home() / version


def home() -> Path:
    return Path(settings.CHAD_HOME) / "releases"
