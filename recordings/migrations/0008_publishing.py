from django.db import migrations, models

import recordings.models.releases

# From its publication on a release is refused every change, whoever asks: by code, by the admin's pages or by SQL.
GUARD_RELEASES = """
CREATE FUNCTION refuse_to_change_a_published_release() RETURNS trigger AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'Release % is published; it never changes.', OLD.version
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER published_releases_never_change BEFORE UPDATE OR DELETE ON recordings_release
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_a_published_release();
"""
GUARD_VERSIONS = """
CREATE FUNCTION refuse_to_change_a_published_version() RETURNS trigger AS $$
DECLARE
    published text;
BEGIN
    -- A publication that is under way is waited for.
    PERFORM 1 FROM recordings_release
        WHERE (TG_OP <> 'INSERT' AND id = OLD.release_id) OR (TG_OP <> 'DELETE' AND id = NEW.release_id) FOR SHARE;
    SELECT string_agg(version, ', ') INTO published FROM recordings_release
        WHERE published_at IS NOT NULL
            AND ((TG_OP <> 'INSERT' AND id = OLD.release_id) OR (TG_OP <> 'DELETE' AND id = NEW.release_id));
    IF published IS NOT NULL THEN
        RAISE EXCEPTION 'Release % is published; it never changes.', published
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER published_versions_never_change BEFORE INSERT OR UPDATE OR DELETE ON recordings_releasedversion
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_a_published_version();
"""


class Migration(migrations.Migration):
    dependencies = [("recordings", "0007_sureness_of_cover_fragments")]

    operations = [
        migrations.RenameField("release", "exported_at", "published_at"),
        migrations.AlterField(
            "release",
            "published_at",
            models.DateTimeField(blank=True, help_text="From then on it never changes", null=True),
        ),
        migrations.AddField(
            "release",
            "notes",
            models.TextField(blank=True, default="", help_text="The admin's words on what is new, for the changelog"),
            preserve_default=False,
        ),
        migrations.AlterField(
            "release",
            "settings",
            models.JSONField(
                default=dict, help_text="Columns, counts, tools, and the pseudonyms' key, which is never published"
            ),
        ),
        migrations.AddField(
            "release",
            "facts",
            models.JSONField(default=dict, help_text="What its texts and pages tell: recordings/release/frozen/facts.py"),
        ),
        migrations.AddField("release", "checks", models.JSONField(blank=True, default=list)),
        migrations.AddField("release", "checked_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "release",
            "files",
            models.JSONField(
                blank=True, default=dict, help_text="{path: SHA-256} of all files but the versions' audio"
            ),
        ),
        migrations.AddField(
            "release",
            "bundle",
            models.FileField(
                blank=True,
                default="",
                help_text="All files but audio and shards, as one archive",
                max_length=200,
                upload_to=recordings.models.releases.bundle_name,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "release", "bundle_sha256", models.CharField(blank=True, default="", max_length=64), preserve_default=False
        ),
        migrations.AddField(
            "releasedversion",
            "melody",
            models.JSONField(
                blank=True,
                default=dict,
                help_text='{"file"} in the storage, "start_s" and "end_s" if it is cut; may be empty',
            ),
        ),
        migrations.RunSQL(
            GUARD_RELEASES,
            "DROP TRIGGER published_releases_never_change ON recordings_release;"
            "DROP FUNCTION refuse_to_change_a_published_release;",
        ),
        migrations.RunSQL(
            GUARD_VERSIONS,
            "DROP TRIGGER published_versions_never_change ON recordings_releasedversion;"
            "DROP FUNCTION refuse_to_change_a_published_version;",
        ),
    ]
