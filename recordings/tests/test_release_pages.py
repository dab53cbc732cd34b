"""The public pages of releases, and what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from recordings.models import CoverFragment, Fragment, Humming, Release, ReleasedVersion
from recordings.release import draft, freeze, publish
from recordings.release.frozen.statistics import Statistics
from recordings.release_pages import numbers, overview, passages, plots
from recordings.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def fragment(settings, tmp_path) -> Fragment:
    """A phrase that may be given away, with two hums and a cover."""
    make.use_storage(settings, tmp_path / "storage")
    settings.CHAD_HOME = tmp_path
    fragment = make.make_phrase()
    cover = make.make_recording(
        fragment.song, "cover", redistributable=True, licence="CC0", hz=440, artist="The Others"
    )
    make.make_cover_fragment(fragment, cover)
    return fragment


@pytest.fixture
def released(fragment, tmp_path) -> Release:
    publish("1.0", tmp_path / "releases/1.0")
    return Release.objects.get()


def text_of(address: str, status: int = 200, **headers: str) -> str:
    answer = Client(headers=headers).get(address)
    assert answer.status_code == status
    return " ".join(answer.content.decode().split())


# --- the history


def test_without_a_release_the_history_says_what_to_do(db):
    page = text_of("/releases/")
    assert "Nothing is released yet." in page
    assert 'href="/hum/"' in page


def test_the_history_lists_what_is_out_the_latest_first(released, fragment, tmp_path):
    make.make_humming(fragment, make.make_person("erin"))
    publish("1.1", tmp_path / "releases/1.1", notes="Erin sang <b>along</b>.")
    draft("1.2", tmp_path / "releases/1.2")
    page = text_of("/releases/")
    assert page.index("CHAD 1.1") < page.index("CHAD 1.0")
    assert "CHAD 1.2" not in page, "a draft is nobody's business"
    assert "1 song · 1 phrase · 3 hums · 1 cover" in page
    assert "New: 1 hum." in page
    assert "The first release." in page
    assert "Erin sang &lt;b&gt;along&lt;/b&gt;." in page
    assert "From 4 versions of phrases in release 1.0 to 5 in release 1.1." in page


# --- one release


def test_a_release_shows_what_is_in_it(released, fragment):
    page = text_of("/releases/1.0/")
    for figure, name in overview.figures(released.settings["counts"]):
        assert f"<dt>{name}</dt><dd>{figure}</dd>" in page
    for title in ("How long they are", "Hums per phrase", "Splits by song", "Splits by singer", "Licences"):
        assert title in page
    assert page.count("data-plot=") == page.count("The same as a table")
    assert "metadata/versions.csv" in page
    assert released.files["metadata/versions.csv"]["sha256"] in page
    assert released.settings["pseudonym_key"] not in page


def test_it_is_loaded_and_cited_in_the_words_of_its_own_readme(released, tmp_path):
    page = text_of("/releases/1.0/")
    readme = (tmp_path / "releases/1.0/README.md").read_text()
    lines = [line for line in readme.splitlines() if line.startswith(("versions = pd", "records = mlc", "@misc"))]
    assert len(lines) == 3
    for line in lines:
        assert escape(line) in page
    assert "python download.py --from http://testserver/releases/1.0/ --out chad-1.0" in page


def test_machines_find_its_description(released, tmp_path):
    page = Client().get("/releases/1.0/").content.decode()
    assert '<link rel="alternate" type="application/ld+json" href="/releases/1.0/files/croissant.json"' in page
    embedded = page.split('<script type="application/ld+json" id="croissant">')[1].split("</script>")[0]
    assert json.loads(embedded) == json.loads((tmp_path / "releases/1.0/croissant.json").read_text())


def test_what_is_heard_on_it_is_the_same_each_time(released, fragment):
    first, again = (text_of("/releases/1.0/") for _ in range(2))
    players = first.count('data-play="')
    assert players == again.count('data-play="') == 4
    assert f"/releases/1.0/files/{fragment.song.pk}/{fragment.pk}/{fragment.pk}.flac" in first


@pytest.mark.parametrize("why", ["withdrawn", "found wrong", "taken down"])
def test_what_left_is_not_heard_any_more(released, fragment, why):
    hum = fragment.hummings.first()
    leave(hum, why)
    page = text_of("/releases/1.0/")
    assert f"{hum.pk}.flac" not in page
    assert page.count('data-play="') == (0 if why == "taken down" else 3)


def leave(hum: Humming, why: str) -> None:
    if why == "withdrawn":
        hum.move_to(Humming.State.WITHDRAWN, why="by its singer")
    elif why == "found wrong":
        hum.move_to(Humming.State.REJECTED, why="off in time")
    else:
        hum.fragment.song.taken_down_at = timezone.now()
        hum.fragment.song.save()


def test_older_and_newer_ones_are_linked(released, fragment, tmp_path):
    make.make_humming(fragment, make.make_person("erin"))
    publish("1.1", tmp_path / "releases/1.1")
    assert "Newer: 1.1" in text_of("/releases/1.0/")
    assert "Older: 1.0" in text_of("/releases/1.1/")


def test_a_reader_of_german_gets_german_around_the_releases_own_english(released, fragment):
    german = {"accept-language": "de"}
    page = text_of("/releases/1.0/", **german)
    for words in ("Wie lang sie sind", "Die erste Veröffentlichung.", "Aufnahme 1", "Erschienen am"):
        assert words in page
    assert '<div lang="en" class="stack release__text">' in page
    assert "Was die Veröffentlichung von ihr sagt" in text_of(f"/releases/1.0/{fragment.pk}/", **german)
    assert "Noch ist nichts erschienen" not in text_of("/releases/", **german)


def test_its_changelog_tells_reports_and_what_left(released, fragment, tmp_path, monkeypatch):
    gone = fragment.hummings.first()
    leave(gone, "withdrawn")
    cover = fragment.cover_fragments.get()
    told = {"fragment_id": str(fragment.pk), "audio_type": "cover", "reason": "a <medley>", "outcome": "kept"}
    monkeypatch.setattr(
        "recordings.release.frozen.crowd.Nobody.reports_decided", lambda *times: [{"version_id": str(cover.pk), **told}]
    )
    publish("1.1", tmp_path / "releases/1.1")
    page = text_of("/releases/1.1/")
    assert "What changed against 1.0" in page
    assert "1 version left: withdrawn by their singers." in page
    assert "1 report of something wrong was decided: 0 removed, 1 kept." in page
    assert "a &lt;medley&gt;" in page
    assert str(gone.pk) in page


def test_its_lists_are_in_the_readers_words_and_what_is_frozen_is_marked_as_english(
    released, fragment, tmp_path, monkeypatch
):
    gone, cover = fragment.hummings.first(), fragment.cover_fragments.get()
    leave(gone, "withdrawn")
    told = {"version_id": str(cover.pk), "fragment_id": str(fragment.pk), "audio_type": "cover", "outcome": "kept"}
    monkeypatch.setattr(
        "recordings.release.frozen.crowd.Nobody.reports_decided",
        lambda *times: [told | {"reason": reason} for reason in ("wrong section", "of another day")],
    )
    publish("1.1", tmp_path / "releases/1.1")
    page = text_of("/releases/1.1/", **{"accept-language": "de"})
    assert (
        f"{gone.pk}</span> eine gesummte Aufnahme: <span>von der Person zurückgezogen, die gesummt hat</span>" in page
    )
    assert "eine Coverversion: <span>falsche Stelle</span>. Noch einmal geprüft und behalten." in page
    assert 'eine Coverversion: <span lang="en">of another day</span>.' in page
    assert '<dl class="columns" lang="en">' in text_of(f"/releases/1.1/{cover.pk}/", **{"accept-language": "de"})


def test_drafts_and_unknown_releases_are_not_found(fragment, tmp_path):
    draft("1.0", tmp_path / "out")
    text_of("/releases/1.0/", 404)
    text_of("/releases/2.0/", 404)
    text_of(f"/releases/1.0/{fragment.pk}/", 404)


def test_a_lost_archive_leaves_the_page_standing(released, caplog):
    released.bundle.storage.delete(released.bundle.name)
    page = text_of("/releases/1.0/")
    assert "Splits by song" in page
    assert "read_parquet" not in page
    assert "Put it back from a backup" in caplog.text


def test_a_release_from_before_facts_shows_what_it_has(fragment):
    make_old_release()
    page = text_of("/releases/0.1/")
    assert "<dt>hums</dt><dd>1,234</dd>" in page
    assert "data-plot=" not in page
    assert "What it changed was not kept." in page
    assert "/releases/0.1/files/metadata/versions.csv" in page
    assert "CHAD 0.1" in text_of("/releases/")


def make_old_release() -> Release:
    """As releases were before 2026-11-27: no facts, no archive, no sums."""
    texts = {"README.md": "An old one.\n", "LICENSE": "Per row.\n", "metadata/release.json": "{}\n"}
    columns = {"metadata/dataset.csv": ["id"], "metadata/versions.csv": ["id", "audio", "sha256"]}
    counts = {"songs": 12, "fragments": 40, "humming": 1234, "cover": 0, "original": 40}
    release = Release.objects.create(
        version="0.1", settings={"snapshot": "x", "texts": texts, "columns": columns, "counts": counts}
    )
    for number in range(3):
        name = f"00000000-0000-4000-8000-00000000000{number}"
        row = {"dataset": {"id": name}, "versions": {"id": name, "audio": "", "sha256": ""}}
        ReleasedVersion.objects.create(release=release, version_id=name, audio_type="humming", row=row, source={})
    release.published_at = timezone.now()
    release.save()
    return release


# --- looking one up


def test_a_version_is_looked_up_by_its_id(released, fragment):
    answer = Client().get("/releases/1.0/", {"find": f" {fragment.pk} "})
    assert (answer.status_code, answer["Location"]) == (302, f"/releases/1.0/{fragment.pk}/")


@pytest.mark.parametrize("asked", ["7f0a8f2e-3a53-4a37-9f40-8d6f3c8ad9a1", "nonsense", "<b>"])
def test_an_id_that_it_has_not_is_said(released, asked):
    page = Client().get("/releases/1.0/", {"find": asked})
    assert page.status_code == 404
    assert f"This release has no version {escape(asked)}." in page.content.decode()


# --- one version


def test_a_version_tells_all_its_facts(released, fragment):
    hum = fragment.hummings.first()
    page = text_of(f"/releases/1.0/{hum.pk}/")
    row = released.versions.get(version_id=hum.pk)
    for name, value in row.row["versions"].items():
        assert f"<code>{name}</code>" in page
        assert escape(value) in page
    assert row.audio in page
    assert f"/releases/1.0/{fragment.pk}/" in page, "its original"
    assert "The Others" in page, "the cover of the same phrase"
    assert f'data-address="/api/releases/1.0/{hum.pk}/reports"' in page


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("withdrawn", "Its singer withdrew it since."),
        ("found wrong", "People found it wrong since."),
        ("taken down", "Its song was taken down since."),
    ],
)
def test_a_version_that_left_says_so_and_is_not_heard(released, fragment, why, words):
    hum = fragment.hummings.first()
    leave(hum, why)
    page = text_of(f"/releases/1.0/{hum.pk}/")
    assert words in page
    assert "data-play=" not in page
    assert "Report as wrong" not in page


def test_a_version_without_audio_says_why(fragment, tmp_path):
    fragment.recording.redistributable = False
    fragment.recording.save()
    publish("1.0", tmp_path / "releases/1.0")
    page = text_of(f"/releases/1.0/{fragment.pk}/")
    assert "The release has no audio of it" in page
    assert "not redistributable, and no video is known" in page
    assert 'data-play="original"' not in text_of("/releases/1.0/")


# --- their cost


def out_at_once(version: str) -> None:
    """Published as it is frozen, without being written."""
    release = freeze(version)
    for row in release.versions.all():
        place = row.row["dataset"]
        audio = f"{place['group_id']}/{place['fragment_id']}/{place['id']}.flac"
        release.versions.filter(pk=row.pk).update(audio=audio)
    release.published_at = timezone.now()
    release.save()


def test_no_page_asks_the_database_for_each_version(released, fragment, tmp_path, django_assert_max_num_queries):
    for number in range(6):
        make.make_humming(fragment, make.make_person(f"singer{number}"))
    for number in range(4):
        other = make.make_fragment(fragment.recording, number, number + 4)
        make.make_humming(other, make.make_person(f"other{number}"))
    out_at_once("1.1")
    for address, queries in (
        ("/releases/", 2),
        ("/releases/1.1/", 12),
        (f"/releases/1.1/{fragment.pk}/", 9),
    ):
        with django_assert_max_num_queries(queries):
            assert Client().get(address).status_code == 200


def test_the_pages_need_none_of_the_libraries_that_write_releases():
    program = (
        "import sys, django; django.setup(); import recordings.release_views;"
        "print([name for name in ('torch', 'pyarrow', 'pandas') if name in sys.modules])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "chad_site.settings", "CHAD_HOME": str(project.CHAD_HOME)}
    shown = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.BASE_DIR,
        env={"PATH": "/usr/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "[]"


# --- what they say, without a database


def statistics(*rows: tuple[str, dict[str, str]]) -> dict[str, Any]:
    """Of rows given by their kind and what differs from the usual."""
    counted = Statistics()
    for number, (kind, more) in enumerate(rows):
        dataset = {"audio_type": kind, "duration": "5.5", "correlation": "0.8", "check_by_crowdsource": "False"}
        told = {
            "split": "train", "fragment_id": "f", "group_id": "g", "licence": "CC0", "why_no_audio": "",
            "singer": f"singer-{number}" if kind == "humming" else "", "singer_split": "test", "device_class": "",
            "age_band": "", "gender": "", "musical_training": "", "ai_training": "True", "latency_method": "",
        }  # fmt: skip
        counted.add(dataset | more, told | more)
    return counted.as_dict()


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("original", {})],
        [("humming", {"duration": "75.0"})],
        [("cover", {"correlation": "1.0"}), ("cover", {"check_by_crowdsource": "True", "correlation": "0.0"})],
        [("humming", {"device_class": "phone", "licence": ""})] * 40,
    ],
)
def test_plots_of_whatever_is_in_a_release(rows):
    for plot in plots.plots(statistics(*rows)):
        drawn = json.loads(plot.plotted_json)
        assert drawn["label"] == plot.title
        assert all(len(row) == len(plot.head) for row in plot.rows)
        if plot.shape == "panels":
            for panel in drawn["panels"]:
                assert len(panel["values"]) == len(drawn["names"])
                assert sum(panel["values"]) > 0
            assert len(drawn.get("categories", drawn["names"])) == len(drawn["names"])
            assert len(drawn.get("ticks", [*drawn["names"], ""])) == len(drawn["names"]) + 1


def test_a_plot_and_its_table_say_the_same():
    counted = statistics(("original", {}), ("humming", {}), ("humming", {"duration": "9.9"}))
    plot = next(plot for plot in plots.plots(counted) if plot.key == "durations")
    assert plot.head == ["length", "originals", "hums"]
    assert plot.rows == [["5–6 s", "1", "1"], ["9–10 s", "0", "1"]]
    panels = json.loads(plot.plotted_json)["panels"]
    assert [panel["className"] for panel in panels] == ["bar--reference", "bar--voice"]
    assert [sum(panel["values"]) for panel in panels] == [1, 2]


def test_the_two_colours_mean_what_they_mean_everywhere():
    assert plots.CLASSES["original"] == "bar--reference"
    assert plots.CLASSES["humming"] == "bar--voice"


@pytest.mark.parametrize(
    ("how_many", "bars"),
    [
        ({}, []),
        ({"2": 5}, [("2", 5)]),
        ({"0": 3, "2": 5}, [("0", 3), ("1", 0), ("2", 5)]),
        ({"12": 1, "14": 2, "20": 3}, [("12", 1), ("13–20", 5)]),
        ({"1500": 1, "400": 2}, [("201–500", 2), ("501–1,000", 0), ("1,001–1,500", 1)]),
    ],
)
def test_many_numbers_are_grouped(how_many, bars):
    assert plots.grouped(how_many) == bars


@pytest.mark.parametrize(
    ("size", "told"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (250_000_000, "250.0 MB"), (10**13, "10,000.0 GB")]
)
def test_sizes_are_told_in_units(size, told):
    assert numbers.size_in_words(size) == told


def test_a_readmes_section_is_taken_apart():
    text = "With `pandas`, see <https://x.example/a>,\nand \\*so\\*:\n\n```python\na < b\n```"
    readme = f"# CHAD\n\n## Load it\n\n{text}\n\n## Next\n\nno"
    words, code = passages.passages(passages.section_of(readme, "Load it"))
    assert words.words == [
        ("text", "With "), ("code", "pandas"), ("text", ", see "), ("link", "https://x.example/a"), ("text", ", and "),
        ("text", "*"), ("text", "so"), ("text", "*"), ("text", ":"),
    ]  # fmt: skip
    assert code.code == "a < b"
    assert passages.section_of(readme, "Cite it") == ""


def changes(**more: Any) -> dict[str, Any]:
    nothing = {"withdrawn": 0, "taken down": 0, "found wrong": 0, "other": 0}
    usual = {"against": "1.0", "added": {}, "songs_added": 0, "removed": nothing, "changed": 0, "reports": []}
    return {**usual, "listed": [], "fragments_added": 0, **more}


def test_changes_are_told_in_words():
    tell: Callable[..., list[str]] = lambda **more: overview.changes_in_words(changes(**more))  # noqa: E731
    assert overview.changes_in_words(None) == []
    assert tell() == ["Nothing changed."]
    assert tell(added={"humming": 2000, "cover": 1}, songs_added=1) == ["New: 1 cover, 2,000 hums. 1 new song."]
    assert tell(changed=1) == ["Of 1 version something is told otherwise."]
    assert tell(removed={"found wrong": 2}) == ["2 versions left: found wrong by people since."]


def test_cover_fragments_of_every_state_are_known_to_the_pages():
    """What is not accepted any more counts as found wrong, whatever came of it."""
    assert {CoverFragment.State.MATCHED, CoverFragment.State.ACCEPTED} < set(CoverFragment.State)
