from django.db import migrations, models


def mark_shipped(apps, schema_editor):
    """No job made those that came with CHAD, and no hum trained them; of others the job's row may be gone."""
    for checkpoint in apps.get_model("ml_worker", "Checkpoint").objects.filter(job=None):
        if not checkpoint.data.get("versions"):
            checkpoint.is_shipped = True
            checkpoint.save(update_fields=["is_shipped"])


class Migration(migrations.Migration):

    dependencies = [("ml_worker", "0005_training_uses")]

    operations = [
        migrations.AddField(
            model_name="checkpoint",
            name="is_shipped",
            field=models.BooleanField(default=False, verbose_name="came with CHAD"),
        ),
        migrations.RunPython(mark_shipped, migrations.RunPython.noop),
    ]
