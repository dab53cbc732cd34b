from django.db import migrations
from pgvector.django import VectorExtension


class Migration(migrations.Migration):
    """Fingerprints are searched in the database where a catalogue is small."""

    dependencies = [("ml_worker", "0001_initial")]

    operations = [VectorExtension()]
