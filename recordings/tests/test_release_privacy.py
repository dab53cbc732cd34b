"""Nothing of a person is in a release: no address, path, browser, name or file name, in text, Parquet or audio."""

from __future__ import annotations

import io
import shutil
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.release.checked import privacy
from recordings.release.checked.privacy import leaks_in
from recordings.release.layout import DOWNLOAD, LOADER
from recordings.release.tables import VERSIONS, VERSIONS_COLUMNS

NOTES = "notes.txt"


def in_text(folder, text, secrets=(), allowed=(), path=NOTES):
    """The sentences about one text of a release."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding="utf-8")
    found = list(leaks_in(folder, secrets, allowed))
    assert all(name == path for name, _ in found)
    return [sentence for _, sentence in found]


@pytest.mark.parametrize(
    ("leak", "kind"),
    [
        ("ann.meyer+chad@uni-ulm.de", "an e-mail address"),
        ("ANN@MAIL.CO.UK", "an e-mail address"),
        ("jürgen@müller.de", "an e-mail address"),
        ("84.17.52.109", "an IP address"),
        ("10.0.0.17", "an IP address"),
        ("2a02:908:1c4:8e0:55d1:2f:aa1:9", "an IP address"),
        ("fe80::1c2d:3e4f", "an IP address"),
        ("/home/ann/hums/take.wav", "an absolute path"),
        ("file:///Users/ann/take.wav", "an absolute path"),
        ("/var/lib/chad/media", "an absolute path"),
        ("C:\\Users\\ann\\take.wav", "an absolute path"),
        ("C:\\\\Users\\\\ann", "an absolute path"),
        ("D:\\Music\\My Hums\\1.wav", "an absolute path"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X)", "a user agent"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "said {}.", '{{"x": "{}"}}', "a,{},b", "<{}>"])
def test_what_tells_of_a_person_is_found(tmp_path, leak, kind, around):
    told = in_text(tmp_path, "first line\n" + around.format(leak) + "\n")
    assert any(sentence.startswith(f"line 2 holds {kind}") for sentence in told)


@pytest.mark.parametrize(
    "fine",
    [
        "you@example.org, x@mail.example.com and @context, @dataclass",
        "version 1.20.3.4, v10.2.33.4, tool==10.2.0.1, Agent-Of-Nobody/3.10.0.22",
        "See section 1.2.3.4 of 0.12.3.40 and 2026.11.26.1, 999.12.12.12, 1.2.3.4.50",
        "127.0.0.1 and [::1] and 192.0.2.77 and 2001:db8::7",
        "std::vector, a[::2], 12:34:56, dead::beef, aa:bb:cc:dd:ee:ff",
        "https://creativecommons.org/licenses/by/4.0/ and https://chad.org/home/ann and doi:10.5281/zenodo.1234",
        "and/or, his/her, s/home/away/, ~/home/, #!/usr/bin/env python3",
        "a:\n  b: \\d+\\w+ C: D:",
        "0.0100,220.100\n0.0200,221.123\n",
        "Firefox and Safari, Chrome or Opera/Aria",
    ],
)
def test_what_tells_of_nobody_is_not_told(tmp_path, fine):
    assert in_text(tmp_path, fine) == []


def test_the_programs_in_every_release_are_clean(tmp_path):
    shipped = Path(privacy.__file__).parents[1] / "shipped"
    for program in (LOADER, DOWNLOAD):
        shutil.copy(shipped / program, tmp_path)
    assert list(leaks_in(tmp_path, ["release", "download", "example"])) == []


def test_names_are_found_as_whole_words_whatever_their_case(tmp_path):
    secrets = ["Ann_Meyer", "anna.b@x.de", "My Hum (2).wav", "Zoë K."]
    text = "by ANN_MEYER\nann_meyers or xann_meyer\nmy hum (2).WAV\nMy Hum 2.wav\nanna.b@X.de\nzoë k"
    told = in_text(tmp_path, text, secrets)
    assert [sentence.partition(" holds ")[0] for sentence in told if "database" in sentence] == [
        "line 1",
        "line 3",
        "line 5",
        "line 6",
    ]


def test_short_names_and_what_every_release_says_are_no_names(tmp_path):
    assert in_text(tmp_path, "ann cover humming train singer", ["Ann", "cover", "Humming", "train", "singer"]) == []


def table(rows):
    return "\n".join(
        [",".join(VERSIONS_COLUMNS), *(",".join(row.get(name, "") for name in VERSIONS_COLUMNS) for row in rows)]
    )


def test_a_user_called_like_a_song_is_not_told_in_titles_but_elsewhere(tmp_path):
    song = {"title": "Summer in the City", "artist": "summer", "performer": "Summer"}
    assert in_text(tmp_path, table([song]), ["summer"], path=VERSIONS) == []
    told = in_text(tmp_path, table([song, song | {"singer": "summer"}]), ["summer"], path=VERSIONS)
    assert told == ["line 3 holds a name from the database: summer"]
    told = in_text(tmp_path, table([song | {"performer": "Summer_42"}]), ["summer_42"], path=VERSIONS)
    assert told == ["line 2 holds a name from the database: Summer_42"]
    (tmp_path / VERSIONS).unlink()
    assert in_text(tmp_path, "One Summer's hums.", ["summer"], path="README.md") == []
    assert len(in_text(tmp_path, "One Summer's hums by summer@mail.de.", ["summer"], path="README.md")) == 1


def test_what_is_allowed_is_not_told(tmp_path):
    assert in_text(tmp_path, "write to Chad@Uni.de", ["chad@uni.de"], allowed=["chad@uni.de"]) == []


def test_finds_are_the_same_however_a_text_is_cut(tmp_path, monkeypatch):
    text = "".join(f"{'x' * (number % 90)} ann{number}@mail.de\n" for number in range(18))
    whole = in_text(tmp_path, text)
    assert len(whole) == 18
    monkeypatch.setattr(privacy, "LONGEST_FIND", 60)
    for at_once in (61, 97, 200):
        monkeypatch.setattr(privacy, "AT_ONCE", at_once)
        assert in_text(tmp_path, text) == whole


def test_a_file_with_thousands_of_finds_tells_the_first(tmp_path):
    told = in_text(tmp_path, "\n".join(f"ann{number}@mail.de" for number in range(5_000)))
    assert len(told) == privacy.MOST_TOLD + 1
    assert told[-1] == "holds more of the kind"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["anna", "b.", "x y", "take 1.wav", "der", "Wer?", "née", "ß"]), max_size=12))
def test_names_against_a_plain_search(words):
    secrets = ["take 1.wav", "anna b", "née ß", "anna take", "anna. b"]
    text = " ".join(words)
    found = set(privacy._Secrets.of(secrets).named_in(text, plain=True))
    plain = set()
    for secret in secrets:
        for start in range(len(text)):
            end = start + len(secret)
            starts = start == 0 or not text[start - 1].isalnum()
            ends = end >= len(text) or not text[end].isalnum()
            if text[start:end].casefold() == secret.casefold() and starts and ends:
                plain.add(text[start:end])
    assert {one.casefold() for one in found} == {one.casefold() for one in plain}


def test_names_of_files_are_looked_at_and_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("ann@mail.de")
    release = tmp_path / "release"
    (release / "ann_meyer").mkdir(parents=True)
    (release / "ann_meyer" / "a.txt").touch()
    (release / "link.txt").symlink_to(outside)
    assert list(leaks_in(release, ["ann_meyer"])) == [
        ("ann_meyer/a.txt", "its name holds a name from the database: ann_meyer")
    ]


def test_what_a_reader_fetched_is_theirs(tmp_path):
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "fetched.tsv").write_text("/home/ann/chad")
    assert list(leaks_in(tmp_path)) == []


# --- audio


def flac(**tags):
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 16_000, 1, "PCM_16", format="FLAC") as sound:
        for name, value in tags.items():
            setattr(sound, name, value)
        sound.write(np.sin(np.arange(4_000) / 9))
    return file.getvalue()


def flac_with_block(kind, content):
    """A FLAC with one more metadata block, right after its STREAMINFO (4 + 4 + 34 bytes)."""
    data = flac()
    return data[:42] + bytes([kind]) + len(content).to_bytes(3) + content + data[42:]


def wav(*chunks, after=b""):
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8_000, 16_000, 2, 16)
    body += b"data" + struct.pack("<I", 4) + bytes(4)
    for name, content in chunks:
        body += name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body + after


AUDIO = {
    "bare.flac": (flac(), None),
    "title.flac": (flac(title="Ann's hum"), "Ann's hum"),
    "software.flac": (flac_with_block(2, b"AnnTool 1"), "APPLICATION"),
    "picture.flac": (flac_with_block(6, bytes(40)), "PICTURE"),
    "cuesheet.flac": (flac_with_block(5, bytes(40)), "CUESHEET"),
    "comment.flac": (flac_with_block(4, struct.pack("<IIIII", 0, 1, 5, 0, 0)[:12] + b"A=Ann"), "A=Ann"),
    "broken.flac": (flac_with_block(4, b"\xff\xff\xff\xffAnn was here"), "Ann was here"),
    "padding.flac": (flac_with_block(1, bytes(9) + b"Ann"), "padding"),
    "zeros.flac": (flac_with_block(1, bytes(40)), None),
    "id3.flac": (b"ID3\4\0\0\0\0\0\0" + flac(), "ID3 tag before"),
    "tag.flac": (flac() + b"TAG" + b"Ann".ljust(125, b"\0"), "ID3 tag after"),
    "bare.wav": (wav(), None),
    "list.wav": (wav((b"LIST", b"INFOIART\4\0\0\0Ann\0")), "'LIST'"),
    "bext.wav": (wav((b"bext", b"Ann")), "'bext'"),
    "after.wav": (wav(after=b"Ann was here"), "after the end"),
    "empty.wav": (b"", None),
}


@pytest.mark.parametrize("name", AUDIO)
def test_audio_has_no_metadata(tmp_path, name):
    data, told = AUDIO[name]
    (tmp_path / name).write_bytes(data)
    found = list(leaks_in(tmp_path))
    assert [path for path, _ in found] == ([name] if told else [])
    assert all(told in sentence for _, sentence in found)


# --- Parquet


def parquet(folder, columns, metadata=None):
    made = pa.table(columns)
    pq.write_table(made.replace_schema_metadata(metadata), folder / "x.parquet", row_group_size=100)
    return [sentence for _, sentence in leaks_in(folder, ["ann_meyer", "summer"])]


def test_parquet_is_searched_in_its_texts_lists_and_description(tmp_path):
    clean = [""] * 300
    assert parquet(tmp_path, {"title": ["Summer", None], "singer": ["singer-12", ""], "n": [1, None]}) == []
    told = parquet(tmp_path, {"singer": [*clean, "by Ann_Meyer"]})
    first = 300 // privacy.ROWS_AT_ONCE * privacy.ROWS_AT_ONCE + 1
    assert told == [f"rows {first} to 301, column singer: holds a name from the database: Ann_Meyer"]
    assert "/home/ann" in parquet(tmp_path, {"path": [["a", "/home/ann/b"]]})[0]
    assert "84.17.52.109" in parquet(tmp_path, {"kind": pa.array(["84.17.52.109"] * 3).dictionary_encode()})[0]
    assert "its description holds" in parquet(tmp_path, {"n": [1]}, {"made": "/home/ann/x"})[0]


def test_audio_in_parquet_has_no_metadata(tmp_path):
    audio = [{"bytes": flac(), "path": "a.flac"}, None, {"bytes": flac(), "path": None}]
    assert parquet(tmp_path, {"audio": audio}) == []
    told = parquet(tmp_path, {"audio": [*audio, {"bytes": flac(artist="Ann"), "path": "C:\\Users\\ann\\a.flac"}]})
    assert any("the comment" in sentence and "Ann" in sentence for sentence in told)
    assert any("C:\\Users\\ann" in sentence for sentence in told)
    assert "ann@mail.de" in parquet(tmp_path, {"blob": [b"\0\1 ann@mail.de"]})[0]


def test_what_is_no_parquet_is_told(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing")
    assert "cannot be read as Parquet" in next(iter(leaks_in(tmp_path)))[1]


def test_how_many_names_there_are_does_not_matter():
    """Each word of a text is looked up once, whether there are ten names or a hundred thousand."""
    text = " ".join(f"word{number} take {number}.wav" for number in range(500))
    many = privacy._Secrets.of(f"take {number}.wav" for number in range(1_000, 101_000))
    assert list(many.named_in(text, plain=True)) == []
    assert many.lengths == {"take": {3}}
