"""Tables of windows: where an index has PostgreSQL look for the nearest ones (CHAD_INDEX=pgvector)."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, models, transaction

# What the name of each table begins with; its part's number follows.
TABLE = "ml_worker_windows_"


class WindowPartQuerySet(models.QuerySet["WindowPart"]):
    def remove(self) -> int:
        """Drops the tables and deletes the rows, both or neither: how many there were."""
        with transaction.atomic():
            parts = list(self)
            drop(part.table for part in parts)
            WindowPart.objects.filter(pk__in=[part.pk for part in parts]).delete()
        return len(parts)


class WindowPart(models.Model):
    """The windows of one segment and one checkpoint of an index, in a table of their own: `ml_worker.window_vectors`.

    Table and row are written once, and dropped, together: so an index that is over leaves nothing in the tables of
    others, where deleted vectors would slow the search down until they are tidied away.
    """

    index = models.ForeignKey("ml_worker.SearchIndex", models.CASCADE, related_name="window_parts")
    segment = models.CharField(max_length=20)
    checkpoint = models.CharField(max_length=100)
    windows = models.PositiveIntegerField(default=0, help_text="Fingerprints in its table")
    bytes = models.BigIntegerField(default=0, help_text="Of its table, the inverted file included")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WindowPartQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["index", "segment", "checkpoint"], name="one_table_of_a_segment"),
        ]

    def __str__(self) -> str:
        return f"{self.windows} windows by {self.checkpoint} of segment {self.segment} of index {self.index_id}"

    @property
    def table(self) -> str:
        return f"{TABLE}{self.pk}"

    @property
    def is_there(self) -> bool:
        """Whether its table is."""
        return self.table in tables()


def tables() -> list[str]:
    """The tables of windows that are there, whether or not a row tells of them."""
    return [name for name in connection.introspection.table_names() if name.startswith(TABLE)]


def drop(names: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP TABLE IF EXISTS {connection.ops.quote_name(name)}")


def drop_strays() -> None:
    """Drops the tables whose rows are gone, with an index that was deleted by hand, say."""
    drop({*tables()} - {part.table for part in WindowPart.objects.all()})
