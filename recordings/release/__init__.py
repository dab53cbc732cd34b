"""Releases: frozen in the database, written to a folder, and checked there.

`freeze(version)` makes the snapshot, `export(release, out, progress)` writes it, `publish(version, out, progress)` does
both, `verify(folder)` checks any folder that claims to be one, without a database. What stands in a release, column by
column: docs/releases.md.
"""

from recordings.release.errors import ReleaseRefused
from recordings.release.exporting import export
from recordings.release.publishing import publish
from recordings.release.snapshot import freeze
from recordings.release.verifying import verify

__all__ = ["ReleaseRefused", "export", "freeze", "publish", "verify"]
