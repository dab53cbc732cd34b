"""What has to hold before a release is published, and what its publisher should know: the checklist of a draft."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from recordings.models import Humming, Release
from recordings.models.releases import GOOD, MIND, STOPS
from recordings.release.checked.verifying import Findings, Subject, inspect
from recordings.release.files.folder import file_sha256
from recordings.release.files.sums import core_files
from recordings.release.files.table_files import in_order
from recordings.release.frozen.crowd import Crowd
from recordings.release.progress import Progress
from recordings.release.removed import may_not_go_out
from recordings.release.tables import ABOUT_SINGERS, HUMMING

# So many faults of a kind are told in words; the rest is counted.
MOST_TOLD = 5


@dataclass(frozen=True)
class Check:
    """One line of the checklist.

    Attributes:
        name: what it is called, one word: what a publisher ticks.
        state: `good`; `mind`, which a person has to tick; `stops`, which nobody may publish with.
        says: what was found, and what to do.
    """

    name: str
    state: str
    says: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def look_through(release: Release, out: Path, progress: Progress, crowd: Crowd) -> list[Check]:
    """Every check of a draft that is written to `out`."""
    findings = Findings()
    inspect(out, sums_of_draft(release, out), findings, progress, crowd.names())
    return [
        up_to_date(release, crowd),
        of_findings("files", findings, Subject.FILES, "Every file is there, readable, and what its row says."),
        of_findings("tables", findings, Subject.TABLES, "The tables are in order and say the same."),
        of_findings("leaks", findings, Subject.SPLITS, "No song, singer, video or sound is in two splits."),
        of_findings("privacy", findings, Subject.PRIVACY, "No address of anybody is in it."),
        of_findings("names", findings, Subject.NAMES, "No word in it is the name of an account.", state=MIND),
        licences(release),
        simulated(release),
        something_new(release),
        reports(crowd.open_reports()),
        address(release),
        notes(release),
    ]


def sums_of_draft(release: Release, out: Path) -> dict[str, str]:
    """What SHA256SUMS will say."""
    texts = {path: file_sha256(out / path) for path in core_files(out)}
    return texts | {version.audio: version.audio_sha256 for version in in_order(release) if version.audio}


def of_findings(name: str, findings: Findings, subject: Subject, all_well: str, state: str = STOPS) -> Check:
    faults = findings.about(subject)
    if not faults:
        return Check(name, GOOD, all_well)
    more = f" And {len(faults) - MOST_TOLD} more." if len(faults) > MOST_TOLD else ""
    return Check(name, state, ". ".join(line.rstrip(".") for line in faults[:MOST_TOLD]) + "." + more)


def up_to_date(release: Release, crowd: Crowd) -> Check:
    """Nothing in it was withdrawn, rejected, taken down or told otherwise since, and no other release was published."""
    if may_not_go_out(release):
        return Check("up to date", STOPS, "Something in it was withdrawn or rejected since. Freeze it anew.")
    if told_otherwise(release, crowd):
        return Check("up to date", STOPS, "A singer tells something else of themselves since. Freeze it anew.")
    if not is_against_latest(release):
        latest = Release.objects.latest_first().values_list("version", flat=True).first()
        return Check(
            "up to date",
            STOPS,
            f"Release {latest} was published since it was frozen, so its changelog is not right. Freeze it anew.",
        )
    return Check("up to date", GOOD, "Nothing in it was withdrawn or rejected since it was frozen.")


def is_against_latest(release: Release) -> bool:
    """Whether its changelog compares it with the release that is the last published one."""
    latest = Release.objects.latest_first().values_list("version", flat=True).first()
    return latest == (release.facts["changes"] or {}).get("against")


def told_otherwise(release: Release, crowd: Crowd) -> bool:
    """Whether it shows something of a singer that the singer does not tell any more."""
    columns = ABOUT_SINGERS[1:]  # the device is the take's own
    shown = release.versions.exclude(**{f"row__versions__{column}": "" for column in columns})
    rows = {pk: row["versions"] for pk, row in shown.filter(audio_type=HUMMING).values_list("version_id", "row")}
    singers = dict(Humming.objects.filter(pk__in=rows).values_list("pk", "singer_id"))
    told = crowd.about_singers(set(singers.values()))
    return any(
        row[column] and told.get(singers.get(pk, 0), {}).get(column) != row[column]
        for pk, row in rows.items()
        for column in columns
    )


def address(release: Release) -> Check:
    """What is read for years says where it comes from."""
    missing = [name for name in ("address", "contact") if not release.facts[name]]
    if missing:
        return Check(
            "address",
            MIND,
            f"It will never name its {' and '.join(missing)}: set CHAD_ADDRESS and CHAD_CONTACT, then freeze it anew.",
        )
    return Check("address", GOOD, "It says where it comes from and whom to write to.")


def licences(release: Release) -> Check:
    """What is given has a licence, decided recording by recording; hums have the consent that they were sung under."""
    versions = release.versions.exclude(source={})
    bare = versions.filter(row__versions__licence="").count()
    if bare:
        return Check(
            "licences",
            STOPS,
            f"{bare} versions with audio name no licence. Write it down at their recordings, or give no audio of them.",
        )
    unasked = versions.filter(audio_type="humming", row__versions__consent_version="").count()
    if unasked:
        return Check("licences", STOPS, f"{unasked} hums name no consent. Reject them, or find out what was agreed to.")
    given = "All audio is given under a licence that allows it."
    without = release.versions.filter(source={}).count()
    return Check("licences", GOOD, f"{given} {without} versions are references without audio." if without else given)


def simulated(release: Release) -> Check:
    counts = release.facts["counts"]
    if counts["simulated"]:
        return Check(
            "simulated",
            MIND,
            f"{counts['simulated']} of its {counts['humming']} hums are by simulated singers. The texts say so.",
        )
    return Check("simulated", GOOD, "All its hums are by people.")


def something_new(release: Release) -> Check:
    changes = release.facts["changes"]
    new = sum(changes["added"].values()) + sum(changes["removed"].values()) + changes["changed"]
    if not new:
        return Check("something new", MIND, f"It holds the same as release {changes['against']}.")
    return Check("something new", GOOD, "It differs from the release before, or is the first.")


def reports(waiting: int) -> Check:
    if waiting:
        return Check(
            "reports",
            MIND,
            f"Reports of published versions that wait for a decision: {waiting}. What of them is in this release stays "
            "until people have decided.",
        )
    return Check("reports", GOOD, "No report waits for a decision.")


def notes(release: Release) -> Check:
    if not release.notes.strip():
        return Check("notes", MIND, "Nobody has written what is new in it; its changelog holds counts alone.")
    return Check("notes", GOOD, "Its changelog says in words what is new.")
