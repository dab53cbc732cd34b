"""The counters of the limits (annotation/limits.py), shared by every web process.

No model: nothing of it is worth a backup, and losing it in a crash (`UNLOGGED`) only forgives what was called before.
"""

from django.db import migrations

MAKE = """
CREATE UNLOGGED TABLE annotation_limit (
    key text PRIMARY KEY,
    free_at timestamptz NOT NULL
) WITH (fillfactor = 50)
"""


class Migration(migrations.Migration):

    dependencies = [("annotation", "0005_states_of_items")]

    operations = [migrations.RunSQL(MAKE, "DROP TABLE annotation_limit")]
