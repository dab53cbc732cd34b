"""Releases: frozen in the database, written to a folder, and checked there.

`freeze(version)` makes the snapshot, a draft; `draft(version, out)` writes and checks one; `publish(version, out)`
freezes, checks, writes and publishes; `export(release, out)` writes a frozen one, `verify(folder)` checks any folder
that claims to be a release, without a database. What stands in a release, column by column: docs/releases.md.
"""

from importlib import import_module
from typing import Any

# Where each lives. They are imported when they are asked for: the web process uses parts of this package, and has no
# need of the libraries that write files.
PUBLIC = {
    "ReleaseRefused": "errors",
    "discard": "removed",
    "draft": "publishing",
    "export": "exporting",
    "freeze": "frozen.snapshot",
    "publish": "publishing",
    "verify": "checked.verifying",
}

__all__ = ["PUBLIC", *PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PUBLIC[name]}"), name)
