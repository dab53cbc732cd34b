"""Collections are found as their folders are laid out, and what is wrong with one is said in a sentence."""

from pathlib import Path

import pytest

from ml_worker.retrieval.layouts import BadCollection, Target, chad, from_table, ioacas, mir_qbsh, mtg_qbh, targets_in


def tree(root: Path, *names: str, **texts: str) -> Path:
    """Empty files, and texts by name ("a/b.csv"), below a folder."""
    for name in [*names, *texts]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts.get(name, ""), encoding="utf-8")
    return root


def asked(collection):
    return [(query.name, query.target) for query in collection.queries]


def names_of(collection):
    return [target.name for target in collection.targets]


# --------------------------------------------------------------------------------------------- a table of queries


def test_a_table_names_queries_and_targets(tmp_path, monkeypatch):
    tree(tmp_path, "tunes/air.mid", "tunes/deep/reel.mid", "here/hum 1.wav", "there/hum2.wav")
    monkeypatch.chdir(tmp_path / "there")
    table = tmp_path / "here" / "queries.tsv"
    absolute = tmp_path / "there" / "hum2.wav"
    table.write_bytes(
        "\ufeffquery\ttarget\r\n# a comment\r\n\r\nhum 1.wav\tair\r\n".encode()
        + f"hum2.wav\treel.mid\n{absolute}\t\nnowhere.wav\tunknown\n".encode()
    )
    collection = from_table(table, tmp_path / "tunes")
    assert asked(collection) == [
        ("hum 1.wav", "air"), ("hum2.wav", "reel"), (str(absolute), None), ("nowhere.wav", "unknown"),
    ]  # fmt: skip
    assert [query.path for query in collection.queries] == [
        tmp_path / "here" / "hum 1.wav", Path("hum2.wav"), absolute, Path("nowhere.wav"),
    ]  # fmt: skip
    assert names_of(collection) == ["air", "reel"]


def test_accents_are_alike_however_they_are_spelt(tmp_path):
    tree(tmp_path, "tunes/Cafe\u0301.mid")
    (tmp_path / "q.tsv").write_text("hum.wav\tCaf\u00e9\n", encoding="utf-8")
    collection = from_table(tmp_path / "q.tsv", tmp_path / "tunes")
    assert [collection.queries[0].target] == names_of(collection)


@pytest.mark.parametrize("line", ["hum.wav", "hum.wav\tair\tmore", "\tair"])
def test_a_malformed_line_is_named_by_its_number(tmp_path, line):
    tree(tmp_path, "tunes/air.mid")
    (tmp_path / "q.tsv").write_text(f"# first\nhum.wav\tair\n{line}\n")
    with pytest.raises(BadCollection, match=r"Line 3 of .*q\.tsv"):
        from_table(tmp_path / "q.tsv", tmp_path / "tunes")


def test_a_table_that_is_absent_empty_or_no_text_is_refused(tmp_path):
    tunes = tree(tmp_path / "tunes", "air.mid")
    with pytest.raises(BadCollection, match="cannot be read"):
        from_table(tmp_path / "absent.tsv", tunes)
    (tmp_path / "q.tsv").write_text("# nothing\n\n")
    with pytest.raises(BadCollection, match="no queries"):
        from_table(tmp_path / "q.tsv", tunes)
    (tmp_path / "q.tsv").write_bytes(b"\xff\xfe\x00h\tair\n")
    with pytest.raises(BadCollection, match="UTF-8"):
        from_table(tmp_path / "q.tsv", tunes)


# ------------------------------------------------------------------------------------------- a folder of targets


def test_a_text_beside_a_sound_belongs_to_it(tmp_path):
    tree(tmp_path, "song.mp3", "song.txt", "a/air.mid", "b/air.csv", ".DS_Store", ".hidden/x.mid", "cover.jpg")
    targets, left_out = targets_in(tmp_path)
    assert sorted(target.path.name for target in targets) == ["air.mid", "song.mp3"]
    assert len(left_out) == 1
    assert "cover.jpg" in left_out[0]


def test_two_files_of_one_stem_are_refused_by_both_names(tmp_path):
    tree(tmp_path, "a/air.mid", "b/air.wav")
    with pytest.raises(BadCollection, match=r"air\.mid and .*air\.wav would both be the target 'air'"):
        targets_in(tmp_path)


def test_of_texts_of_one_stem_only_curves_are_targets(tmp_path):
    tree(tmp_path, "a/readme.txt", "b/readme.txt", **{"c/air.csv": "0,220\n0.1,220", "d/air.txt": "An air."})
    targets, left_out = targets_in(tmp_path)
    assert targets == [Target(tmp_path / "c" / "air.csv", "air")]
    assert len(left_out) == 2
    (tmp_path / "d" / "air.txt").write_text("0 220\n1 230")
    with pytest.raises(BadCollection, match=r"air\.csv and .*air\.txt"):
        targets_in(tmp_path)


def test_the_table_of_queries_is_no_target_of_its_own(tmp_path):
    tree(tmp_path, "air.mid", **{"queries.tsv": "hum.wav\tair\n"})
    collection = from_table(tmp_path / "queries.tsv", tmp_path)
    assert names_of(collection) == ["air"]
    assert not collection.left_out


def test_a_file_is_no_folder(tmp_path):
    with pytest.raises(BadCollection, match=r"is a file\. Name a folder"):
        targets_in(tree(tmp_path, "air.mid") / "air.mid")


def test_a_folder_without_targets_is_refused(tmp_path):
    with pytest.raises(BadCollection, match="There is no folder"):
        targets_in(tmp_path / "absent")
    with pytest.raises(BadCollection, match="holds no targets"):
        targets_in(tmp_path)


# ------------------------------------------------------------------------------------------------------- layouts


def test_mir_qbsh(tmp_path):
    root = tree(
        tmp_path / "MIR-QBSH-corpus",
        *("midiFile/00001.mid", "midiFile/00002.mid", "midiFile/songList.txt", "readme.htm"),
        *("waveFile/year2003/person00001/00001.wav", "waveFile/year2003/person00001/00001.pv"),
        *("waveFile/year2004a/person00007/00002.wav", "waveFile/year2004a/person00007/00001.pv"),
    )
    expected = [
        ("waveFile/year2003/person00001/00001.wav", "00001"),
        ("waveFile/year2004a/person00007/00001.pv", "00001"),
        ("waveFile/year2004a/person00007/00002.wav", "00002"),
    ]
    assert asked(mir_qbsh(root)) == expected
    assert names_of(mir_qbsh(tmp_path)) == ["00001", "00002"]
    essen = tree(tmp_path / "essen", "00001.mid", "han0002.mid")
    assert names_of(mir_qbsh(root, essen)) == ["00001", "00002", "essen/00001", "essen/han0002"]


def test_ioacas_in_two_parts(tmp_path):
    for part in ("IOACAS_pt1", "IOACAS_pt2"):
        tree(
            tmp_path / part,
            *("wavfile/F001.wav", "wavfile/M002.wav", "midfile/00001.mid", "midfile/00002.mid"),
            **{"query.list": "wavfile/F001.wav\t00001\r\nM002 00002.mid\r\n\r\n"},
        )
    collection = ioacas(tmp_path)
    assert asked(collection)[:2] == [
        ("IOACAS_pt1/wavfile/F001.wav", "IOACAS_pt1/00001"), ("IOACAS_pt1/wavfile/M002.wav", "IOACAS_pt1/00002"),
    ]  # fmt: skip
    assert all(query.path.is_file() for query in collection.queries)
    assert names_of(collection) == [f"IOACAS_pt{part}/0000{tune}" for part in (1, 2) for tune in (1, 2)]


def test_parts_of_ioacas_in_folders_of_one_name_stay_apart(tmp_path):
    for place in ("a", "b"):
        tree(tmp_path / place / "pt", "w/F001.wav", "m/00001.mid", **{"query.list": "F001\t00001\n"})
    collection = ioacas(tmp_path)
    assert [target for _, target in asked(collection)] == ["a/pt/00001", "b/pt/00001"]
    assert names_of(collection) == ["a/pt/00001", "b/pt/00001"]


def test_thinkit(tmp_path):
    tree(tmp_path, "Query/D001.wav", "REFMIDI/001.mid", **{"query.list": "D001.wav\t001\nD002.wav\t001\n"})
    collection = ioacas(tmp_path)
    assert asked(collection) == [("Query/D001.wav", "001"), ("D002.wav", "001")]
    (tmp_path / "query.list").write_text("/elsewhere/D003.wav\t001\n")
    assert asked(ioacas(tmp_path)) == [("/elsewhere/D003.wav", "001")]
    (tmp_path / "query.list").write_text("D001.wav\n")
    with pytest.raises(BadCollection, match="Line 1 of"):
        ioacas(tmp_path)


def test_mtg_qbh(tmp_path):
    table = "Query,Artist,Song title\nq1.wav,The Beatles,Help!\nq2,Björk,Jóga\nq3.wav,Nobody,Unknown\nq9.wav,X,Y\n"
    root = tree(tmp_path / "MTG-QBH", "audio/q1.wav", "audio/q2.wav", "audio/q3.wav", "README.txt", **{"m.csv": table})
    songs = tree(tmp_path / "songs", "help.mp3", "Bjork - Joga.mp3", "other.flac")
    collection = mtg_qbh(root, songs)
    assert asked(collection) == [
        ("audio/q1.wav", "help"),
        ("audio/q2.wav", "Bjork - Joga"),
        ("audio/q3.wav", "Unknown"),
    ]
    assert names_of(collection) == ["Bjork - Joga", "help", "other"]


def test_mtg_qbh_with_texts_that_begin_with_empty_lines_and_short_rows(tmp_path):
    table = "\n \nfile,title,artist\nq2.wav\nq1.wav,Help!,The Beatles,more\n"
    root = tree(tmp_path / "hums", "q1.wav", "q2.wav", **{"a.txt": "\nRead me.\n\n", "m.csv": table})
    songs = tree(tmp_path / "songs", "help.mp3")
    assert asked(mtg_qbh(root, songs)) == [("q2.wav", None), ("q1.wav", "help")]


def test_mtg_qbh_needs_songs_and_a_table(tmp_path):
    root, songs = tree(tmp_path / "hums", "q1.wav"), tree(tmp_path / "songs", "help.mp3")
    with pytest.raises(BadCollection, match="Name a folder"):
        mtg_qbh(root)
    with pytest.raises(BadCollection, match="no table"):
        mtg_qbh(root, songs)


COLUMNS = (
    "group_id,fragment_id,id,audio_type,youtube_id,interval,correlation,check_by_crowdsource,is_available,duration"
)
CHAD_TABLE = f"""{COLUMNS}
1,10,100,original,abcdefghijk,"[12.5, 20.0]",,,True,7.5
1,10,101,humming,,,,,,7.0
1,10,102,cover,bbbbbbbbbbb,"[1, 9]",0.7,False,True,8.0
2,20,200,original,ccccccccccc,"[0, 5]",,,True,5.0
2,20,201,humming,,,,,,5.0
2,21,202,humming,,,,,,5.0
"""


def test_chad_with_its_table(tmp_path):
    audio = ("1/10/100.mp3", "1/10/101.wav", "1/10/102.mp3", "2/20/200.mp3", "2/20/201.wav")
    tree(tmp_path, *audio, **{"metadata/dataset.csv": CHAD_TABLE})
    collection = chad(tmp_path)
    assert asked(collection) == [("1/10/101.wav", "1"), ("2/20/201.wav", "2")]
    assert names_of(collection) == ["1", "2"]
    assert ["1 of the 3 hums" in sentence for sentence in collection.left_out] == [True]


def test_a_table_of_chad_that_is_cut_off_is_refused(tmp_path):
    tree(tmp_path, "1/10/100.mp3", "1/10/101.wav", **{"metadata/dataset.csv": f"{CHAD_TABLE}3,30\n"})
    with pytest.raises(BadCollection, match=r"Row 7 of .*dataset\.csv has no id, audio_type\."):
        chad(tmp_path)


def test_chad_with_songs_from_elsewhere(tmp_path):
    root = tree(tmp_path / "chad", "1/10/101.wav", "2/21/202.wav", **{"metadata/dataset.csv": CHAD_TABLE})
    songs = tree(tmp_path / "songs", "abcdefghijk.mp3", "2.mp3", "20.mp3", "stranger.mp3")
    collection = chad(root, songs)
    assert sorted(zip(names_of(collection), [target.path.stem for target in collection.targets], strict=True)) == [
        ("1", "abcdefghijk"), ("2", "2"), ("2", "20"), ("songs/stranger", "stranger"),
    ]  # fmt: skip


def test_the_hums_of_chad_alone(tmp_path):
    root = tree(tmp_path / "hums", "1/10/101.wav", "1/10/103.wav", "2/20/201.wav")
    songs = tree(tmp_path / "songs", "1.mp3", "2.mp3")
    assert asked(chad(root, songs)) == [("1/10/101.wav", "1"), ("1/10/103.wav", "1"), ("2/20/201.wav", "2")]
    with pytest.raises(BadCollection, match="holds no targets"):
        chad(root)


@pytest.mark.parametrize("loader", [mir_qbsh, ioacas, chad])
def test_a_folder_that_is_something_else_is_refused(loader, tmp_path):
    tree(tmp_path, "a.wav", "dataset.csv")
    with pytest.raises(BadCollection):
        loader(tmp_path)
    with pytest.raises(BadCollection, match="There is no folder"):
        loader(tmp_path / "absent")
