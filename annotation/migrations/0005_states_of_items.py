from django.db import migrations
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce


def states_of_items(apps, schema_editor):
    """Items from before had no state of their own: it followed from the take's, the song's and the verdicts."""
    items = apps.get_model("annotation", "ReviewItem").objects
    hum_checks = apps.get_model("recordings", "HumCheck").objects
    covers = apps.get_model("recordings", "CoverFragment").objects
    songs = apps.get_model("recordings", "Song").objects

    items.exclude(settled_at=None).update(state="settled", missing=0)
    withdrawn = Q(humming__state="withdrawn")
    gone = items.filter(withdrawn).values("pk")
    items.filter(pk__in=gone).update(state="closed")
    down = songs.exclude(taken_down_at=None)
    of_hums = Exists(down.filter(recordings__fragments__hummings=OuterRef("humming")))
    of_covers = Exists(down.filter(recordings__fragments__cover_fragments=OuterRef("cover_fragment")))
    items.filter(settled_at=None).filter(of_hums | of_covers).update(state="closed")

    similarity = hum_checks.filter(humming=OuterRef("humming")).values("similarity")[:1]
    correlation = covers.filter(pk=OuterRef("cover_fragment")).values("correlation")[:1]
    items.update(sureness=Coalesce(similarity, correlation, 0.0))

    verdicts = apps.get_model("annotation", "Verdict").objects
    offset = hum_checks.filter(humming__review=OuterRef("item")).values("offset_s")[:1]
    verdicts.update(proposed_offset_s=Coalesce(offset, 0.0))


class Migration(migrations.Migration):

    dependencies = [("annotation", "0004_the_double_check")]

    operations = [migrations.RunPython(states_of_items, migrations.RunPython.noop)]
