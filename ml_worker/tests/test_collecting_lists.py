"""Open lists of covers: each format as its publishers write it, and lists that are broken, large or hostile."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ml_worker.collecting import lists
from ml_worker.collecting.lists import FORMATS, ListRead, UnreadableList, group_of, groups_of, read
from ml_worker.collecting.names import artist_of, artist_of_channel, key_of, tidy, video_id_of

SHS100K = """set_id\tver_id\ttitle\tperformer\turl\tstatus
0\t0\tSummertime\tAbbie Mitchell\thttps://www.youtube.com/watch?v=TMHWEcSKEPI\tTrue
0\t3\tSummertime\tJimmie Rodgers [1]\thttp://youtu.be/NytUFajJ66Q\tFalse
1\t2\tStille Nacht\tMireille Mathieu\t\tFalse
"""
DA_TACOS = {
    "W_163992": {
        "P_547131": {
            "work_title": "Trade Winds, Trade Winds", "work_artist": "Aki Aleong",
            "perf_title": "Trade Winds, Trade Winds", "perf_artist": "Aki Aleong", "release_year": "1961",
            "work_id": "W_163992", "perf_id": "P_547131", "instrumental": "No",
        },
        "P_547140": {
            "work_title": "Trade Winds, Trade Winds", "work_artist": "Aki Aleong",
            "perf_title": "Trade Winds", "perf_artist": "Dodie Stevens", "release_year": "1961",
            "work_id": "W_163992", "perf_id": "P_547140", "instrumental": "No",
        },
    }
}  # fmt: skip
CLIQUE = {
    "clique_id": "3dbe65d7",
    "versions": [
        {
            "version_id": "646e079e",
            "tracks": [
                {
                    "track_title": "I Believe",
                    "track_artist_names": [],
                    "release_artist_names": ["Les Humphries Singers"],
                }
            ],
            "youtube_video": [{"url": "https://www.youtube.com/watch?v=kv-jdTn_F3Q", "title": "I Believe"}],
        },
        {
            "version_id": "746e079e",
            "tracks": [{"track_title": "I Believe", "track_artist_names": ["Frankie Laine", "Others (2)"]}],
            "youtube_video": [],
        },
    ],
}
LIGHT = {"C-1": [{"version_id": "V-1", "track_title": "I Believe", "youtube_id": "kv-jdTn_F3Q"}]}
TABLE = """Work ID;Title;Performer;YouTube URL;Release date;Original
7;"Hallelujah; live";Leonard Cohen;https://www.youtube.com/watch?v=YrLk4vdY28Q;1984-12-11;yes
7;Hallelujah;Jeff Buckley;y8AWFf7EAc4;1994;no
7;Hallelujah;John Cale;;;
"""


def read_text(text: str, format: str = "auto", **more: object) -> ListRead:
    return read(io.BytesIO(text.encode()), format, **more)


def said(found: ListRead) -> list[tuple[int, str]]:
    return [(problem.line, problem.sentence) for problem in found.problems]


def test_shs100k_is_read():
    found = read_text(SHS100K)
    assert not found.problems
    rows = [(row.group, row.title, row.artist, row.youtube_id, row.source_line) for row in found.rows]
    assert rows == [
        ("0", "Summertime", "Abbie Mitchell", "TMHWEcSKEPI", 2),
        ("0", "Summertime", "Jimmie Rodgers", "NytUFajJ66Q", 3),
        ("1", "Stille Nacht", "Mireille Mathieu", "", 4),
    ]


def test_the_split_files_of_shs100k_are_told_apart_in_words():
    found = read_text("0\t1\n0\t2\n", "shs100k")
    assert found.rows == []
    assert said(found)[0][1].startswith("The line has 2 columns; SHS100K has set_id, ver_id, title")


def test_da_tacos_is_read_and_its_rows_are_to_be_searched_for():
    found = read_text(json.dumps(DA_TACOS))
    assert [(row.artist, row.youtube_id, row.year) for row in found.rows] == [
        ("Aki Aleong", "", 1961),
        ("Dodie Stevens", "", 1961),
    ]
    group = group_of(found.rows)
    assert (group.title, group.artist) == ("Trade Winds, Trade Winds", "Aki Aleong")
    assert group.original is found.rows[0]


def test_discogs_vi_is_read_line_by_line():
    found = read_text(json.dumps(CLIQUE) + "\n")
    assert not found.problems
    assert [(row.artist, row.youtube_id) for row in found.rows] == [
        ("Les Humphries Singers", "kv-jdTn_F3Q"),
        ("Frankie Laine, Others", ""),
    ]


def test_the_light_form_of_discogs_vi_is_read():
    found = read_text(json.dumps(LIGHT))
    assert [(row.group, row.title, row.youtube_id) for row in found.rows] == [("C-1", "I Believe", "kv-jdTn_F3Q")]


def test_a_table_is_read_by_the_names_of_its_columns():
    found = read_text(TABLE)
    assert not found.problems
    rows = [(row.title, row.youtube_id, row.is_original, row.year) for row in found.rows]
    assert rows == [
        ("Hallelujah; live", "YrLk4vdY28Q", True, 1984),
        ("Hallelujah", "y8AWFf7EAc4", False, 1994),
        ("Hallelujah", "", None, None),
    ]


@pytest.mark.parametrize("text", [SHS100K, TABLE, json.dumps(DA_TACOS), json.dumps(CLIQUE)])
def test_a_byte_order_mark_changes_nothing(text: str):
    marked = read(io.BytesIO(b"\xef\xbb\xbf" + text.encode()))
    assert (marked.rows, marked.problems) == (read_text(text).rows, [])


def test_without_a_column_of_groups_recordings_of_one_title_are_a_group():
    found = read_text("title,artist\nRéveille,A\nreveille,B\nOther,C\n")
    assert [len(group.rows) for group in groups_of(found.rows)] == [2, 1]


def test_a_bad_line_is_told_with_its_number_and_the_others_go_on():
    lines = TABLE.splitlines()
    broken = [
        lines[0],
        "7;one cell",
        lines[2],
        "7;;nobody;;;",
        '7;"open;x;;;',
        "8;A;B;https://evil.example/x;;",
        lines[3],
    ]
    found = read_text("\n".join(broken))
    assert [row.artist for row in found.rows] == ["Jeff Buckley", "John Cale"]
    assert [line for line, _ in said(found)] == [2, 4, 5, 6]
    assert said(found)[0][1] == "With a semicolon between, the line has 2 cells; the header has 6."
    assert "title is missing" in said(found)[1][1]
    assert "quotes" in said(found)[2][1]
    assert "https://evil.example/x" in said(found)[3][1]


def test_bytes_that_are_no_text_spoil_their_line_alone():
    data = SHS100K.encode().replace(b"Abbie", b"Abb\xffie")
    found = read(io.BytesIO(data))
    assert said(found) == [(2, "The line is no text in UTF-8. Save the list as UTF-8.")]
    assert len(found.rows) == 2


def test_a_line_without_end_is_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "MAX_LINE_BYTES", 200)
    lines = SHS100K.splitlines()
    found = read_text("\n".join([lines[1], "x" * 1000, lines[2]]), "shs100k")
    assert [row.artist for row in found.rows] == ["Abbie Mitchell", "Jimmie Rodgers"]
    assert [line for line, _ in said(found)] == [2]


def test_a_document_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "MAX_DOCUMENT_BYTES", 50)
    with pytest.raises(UnreadableList, match="Cut it into parts"):
        read_text(json.dumps(DA_TACOS), "datacos")


@pytest.mark.parametrize(
    ("text", "format", "words"),
    [
        ("", "auto", "empty"),
        ("\n\n", "csv", "empty"),
        ("a,b\n1,2\n", "auto", "no title and no artist"),
        ('"a,b\n1,2\n', "csv", "header cannot be read"),
        ("{", "datacos", "no JSON"),
        ("[1]", "datacos", "no JSON object"),
        ("[" * 100_000, "datacos", "no JSON"),
        ("x", "nonsense", "There is no format"),
        ('["a"]', "auto", "neither Da-TACOS nor Discogs-VI"),
        ("<!DOCTYPE html>\n<p>Sign in", "auto", "web page"),
        ("title,artist\n", "auto", "names no recording"),
        ("{}", "auto", "names no recording"),
        ("", "shs100k", "names no recording"),
        ("title^artist\nA^B\n", "auto", "“title.artist”.*comma, semicolon, tab or bar"),
        ("title,artist\rA,B\r", "auto", "CR alone"),
    ],
)
def test_a_list_of_which_nothing_can_be_read_says_why(text: str, format: str, words: str):
    with pytest.raises(UnreadableList, match=words):
        read_text(text, format)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04...", "workbook"),
        ("title,artist\nA,B\n".encode("utf-16"), "UTF-16"),
        (b"ID3\x03\0\0\xff\xfbsound", "no text"),
        ("title,ärtist\n".encode("latin-1"), "Save the list as UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(data: bytes, words: str):
    with pytest.raises(UnreadableList, match=words):
        read(io.BytesIO(data))


def test_a_cell_that_says_there_is_no_video_is_an_empty_one():
    found = read_text("title,artist,url\nA,B,NULL\nC,D,n/a\nE,F,-\nG,H,none of it\n")
    assert [row.youtube_id for row in found.rows] == ["", "", ""]
    assert [line for line, _ in said(found)] == [5]


def test_what_says_neither_yes_nor_no_of_an_original_says_nothing():
    found = read_text("title,artist,original\nA,B,Yes\nA,C,no\nA,D,perhaps\nA,E,\n")
    assert [row.is_original for row in found.rows] == [True, False, None, None]


def test_the_place_of_a_problem_is_a_line_or_in_one_json_a_group():
    assert read_text("title,artist\n,B\n").problems[0].place == "line 2"
    odd = {"C-7": [{"track_title": "A", "youtube_id": "x"}], "C-8": "none"}
    assert [problem.place for problem in read_text(json.dumps(odd), "discogs-vi-light").problems] == [
        "group C-7",
        "group C-8",
    ]


def test_lines_that_cannot_be_used_are_kept_up_to_so_many_and_counted_beyond(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "MAX_PROBLEMS", 3)
    found = read_text("title,artist\n" + ",B\n" * 10 + "A,B\n")
    assert (len(found.rows), len(found.problems), found.more_problems) == (1, 3, 7)


@pytest.mark.parametrize(
    "odd",
    [
        {"versions": "none"},
        {"clique_id": "1", "versions": [7, {"tracks": [], "youtube_video": []}, {"tracks": "x"}]},
        {"clique_id": "1", "versions": [{"tracks": [{"track_title": ["no"]}]}]},
        {"clique_id": "1", "versions": [{"tracks": [{"track_title": "A", "track_artist_names": "B"}]}]},
        {"clique_id": "1", "versions": [{"tracks": [{"track_title": "A" * 301}]}]},
    ],
)
def test_a_clique_of_another_shape_is_a_problem(odd: object):
    found = read_text(json.dumps(odd) + "\n" + json.dumps(CLIQUE), "discogs-vi")
    assert [row.title for row in found.rows] == ["I Believe", "I Believe"]
    assert {line for line, _ in said(found)} == {1}


def test_halves_of_characters_and_zeros_are_no_part_of_a_name():
    odd = '{"C-1": [{"track_title": "A\\ud800 song\\u0000", "youtube_id": "kv-jdTn_F3Q"}]}'
    assert [row.title for row in read_text(odd, "discogs-vi-light").rows] == ["A song"]


def test_no_more_rows_are_read_than_asked_for():
    assert len(read_text(SHS100K, most=2).rows) == 2


@given(st.binary(max_size=400), st.sampled_from(["auto", *FORMATS]))
def test_no_bytes_end_in_anything_but_rows_problems_or_a_sentence(data: bytes, format: str):
    try:
        found = read(io.BytesIO(data), format)
    except UnreadableList:
        return
    for row in found.rows:
        assert row.title
        assert "\0" not in row.title + row.artist + row.group
        assert row.youtube_id == "" or video_id_of(row.youtube_id)


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
def test_each_line_of_a_list_is_a_row_or_a_problem(pairs: list[tuple[str, str]]):
    lines = [f"1\t2\t{title}\t{artist}\t\tTrue".replace("\n", " ").replace("\r", " ") for title, artist in pairs]
    found = read(io.BytesIO("\n".join(lines).encode()), "shs100k")
    assert len(found.rows) + len(found.problems) == len(lines)
    numbers = [row.source_line for row in found.rows] + [problem.line for problem in found.problems]
    assert sorted(numbers) == list(range(1, len(lines) + 1))


# --- groups


def row(artist: str, **said: object) -> lists.ListedRecording:
    return lists.ListedRecording("1", "A song", artist, **said)


def test_the_lists_word_decides_which_is_the_original():
    group = group_of([row("A", year=1950), row("B", is_original=True, year=1990)])
    assert (group.artist, group.is_guessed) == ("B", False)
    assert [cover.artist for cover in group.covers] == ["A"]


def test_of_several_that_the_list_calls_original_the_earliest_is_and_that_is_told():
    group = group_of([row("A", is_original=True, year=1970), row("B", is_original=True, year=1960), row("C")])
    assert (group.original.artist, group.is_guessed) == ("B", True)


def test_without_a_word_the_earliest_is_the_original_and_that_is_told():
    group = group_of([row("A"), row("B", year=1950), row("C", year=1940)])
    assert (group.artist, group.is_guessed) == ("C", True)


def test_without_years_the_first_is_the_original():
    assert group_of([row("A"), row("B")]).artist == "A"


def test_where_the_songs_artist_is_known_and_not_there_no_recording_is_the_original():
    group = group_of([row("A", work_title="Song", work_artist="Z"), row("B", work_title="Song", work_artist="Z")])
    assert group.original is None
    assert (group.title, group.artist, len(group.covers)) == ("Song", "Z", 2)


# --- names


@pytest.mark.parametrize(
    "address",
    [
        "YrLk4vdY28Q",
        " https://www.youtube.com/watch?v=YrLk4vdY28Q ",
        "http://youtube.com/watch?list=x&v=YrLk4vdY28Q&t=3",
        "youtu.be/YrLk4vdY28Q?t=3",
        "https://music.youtube.com/watch?v=YrLk4vdY28Q",
        "https://www.youtube.com/v/YrLk4vdY28Q",
        "https://m.youtube.com/shorts/YrLk4vdY28Q",
    ],
)
def test_the_id_is_found_in_every_address_of_a_video(address: str):
    assert video_id_of(address) == "YrLk4vdY28Q"


@pytest.mark.parametrize(
    "text", ["", "short", "https://youtube.com.evil.example/watch?v=YrLk4vdY28Q", "https://[", "file:///etc/passwd",
             "https://www.youtube.com/watch?v=YrLk4vdY28Qx", "https://www.youtube.com/channel/YrLk4vdY28Q"],
)  # fmt: skip
def test_nothing_else_is_a_video(text: str):
    assert video_id_of(text) == ""


@given(st.text())
@example("\N{SQUARED LATIN CAPITAL LETTER A}")
@example("\N{PARENTHESIZED LATIN CAPITAL LETTER A}")
def test_names_are_compared_alike_however_they_are_written(text: str):
    assert key_of(key_of(text)) == key_of(text)
    assert key_of(f"  {tidy(text)} ") == key_of(tidy(text))
    assert tidy(tidy(text)) == tidy(text)


def test_accents_case_and_marks_do_not_tell_names_apart():
    assert key_of("Beyoncé, “Déjà Vu”!") == key_of("BEYONCE - deja vu")
    assert key_of("!!!") == "!!!"


def test_numbers_of_namesakes_and_words_of_channels_are_no_part_of_a_name():
    assert artist_of("Jimmie Rodgers [1]") == artist_of("Jimmie Rodgers (2)") == "Jimmie Rodgers"
    assert {artist_of_channel(name) for name in ("Adele - Topic", "AdeleVEVO", "Adele Official")} == {"Adele"}
