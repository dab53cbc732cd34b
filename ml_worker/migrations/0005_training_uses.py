import uuid

from django.db import migrations


def training_uses(apps, schema_editor):
    """Checkpoints from before name their versions in their data only."""
    uses = apps.get_model("recordings", "TrainingUse")
    for checkpoint in apps.get_model("ml_worker", "Checkpoint").objects.all():
        rows = []
        for _song, _fragment, version in checkpoint.data.get("versions", []):
            try:
                rows.append(uses(version_id=uuid.UUID(version), checkpoint=checkpoint.name))
            except ValueError:  # trained elsewhere, on what is no row here
                continue
        uses.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


class Migration(migrations.Migration):

    dependencies = [
        ("ml_worker", "0004_jobs_of_the_double_check"),
        ("recordings", "0004_consent_and_training"),
    ]

    operations = [migrations.RunPython(training_uses, migrations.RunPython.noop)]
