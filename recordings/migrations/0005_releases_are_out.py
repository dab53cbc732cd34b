from django.db import migrations
from django.db.models import F


def releases_are_out(apps, schema_editor):
    """What was frozen before counts as written out: it never changes."""
    apps.get_model("recordings", "Release").objects.update(exported_at=F("created_at"))


class Migration(migrations.Migration):

    dependencies = [("recordings", "0004_consent_and_training")]

    operations = [migrations.RunPython(releases_are_out, migrations.RunPython.noop)]
