"""The tunes as written: read exactly, refused in words where they are wrong, fit to be hummed."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.catalogue.abc import AbcError, parse_abc, tunes
from ml_worker.catalogue.keys import scale, tonic
from ml_worker.catalogue.tune import Note

ALL = tunes()
BY_SLUG = {tune.slug: tune for tune in ALL}
HEADER = "X:1\nT:Test\nC:trad.\nO:Nowhere\nN:year 1800\nM:4/4\nL:1/4\nQ:1/4=100\nK:{key}\n"
FIRST_LINE = HEADER.count("\n") + 1

# Openings in degrees of the major scale, typed from the hymn and tune indexes' way of writing them, apart from the
# ABC files: 8 and more lie above the key's note, 0 and less below it.
OPENINGS = {
    "amazing-grace": "-2 1 3 1 3 2 1 -1 -2 -2 1 3 1 3 2 5",
    "auld-lang-syne": "-2 1 1 1 3 2 1 2 3 1 1 3 5 6",
    "battle-hymn": "-2 -2 -2 -2 -3 -4 -2 1 2 3 3 3 2 1",
    "brahms-lullaby": "3 3 5 3 3 5 3 5 8 7 6 6 5",
    "deck-the-halls": "5 4 3 2 1 2 3 1 2 3 4 2 3 2 1 0 1",
    "frere-jacques": "1 2 3 1 1 2 3 1 3 4 5 3 4 5",
    "god-save-the-king": "1 1 2 0 1 2 3 3 4 3 2 1 2 1 0 1",
    "jingle-bells": "-2 3 2 1 -2 -2 -2 -2 3 2 1 -1",
    "joy-to-the-world": "8 7 6 5 4 3 2 1 5 6 6 7 7 8",
    "london-bridge": "5 6 5 4 3 4 5 2 3 4 3 4 5",
    "my-bonnie": "-2 3 2 1 2 1 -1 -2 -4 -2 3 2 1 1 0 1 2",
    "ode-to-joy": "3 3 4 5 5 4 3 2 1 1 2 3 3 2 2",
    "oh-susanna": "1 2 3 5 5 6 5 3 1 2 3 3 2 1 2",
    "silent-night": "5 6 5 3 5 6 5 3 9 9 7 8 8 5",
    "twinkle": "1 1 5 5 6 6 5 4 4 3 3 2 2 1",
    "yankee-doodle": "1 1 2 3 1 3 2 -2 1 1 2 3 1 0",
}
MAJOR = (0, 2, 4, 5, 7, 9, 11)


def degrees_to_semitones(degrees):
    """Semitones above the key's note; degree 0 is the seventh below it."""
    return [12 * ((degree - 1) // 7) + MAJOR[(degree - 1) % 7] for degree in map(int, degrees.split())]


def parsed(music, key="C"):
    return parse_abc(HEADER.format(key=key) + music, slug="test", name="test.abc")


# --- the catalogue


def test_there_are_at_least_24_tunes_each_with_its_origin_and_year():
    assert len(ALL) >= 24
    assert len({tune.title for tune in ALL}) == len(ALL)
    for tune in ALL:
        assert tune.origin
        assert tune.composer
        assert 1400 < tune.year < 1900, f"{tune.slug} has to be known for longer than any copyright"


@pytest.mark.parametrize("tune", ALL, ids=lambda tune: tune.slug)
def test_bars_add_up_to_the_metre(tune):
    # After the upbeat whole bars follow; the last may be cut short by the upbeat.
    left_over = (tune.beats - tune.upbeat) % tune.bar_beats
    assert left_over in (0, tune.bar_beats - tune.upbeat)
    sounding = sum((note.beats for note in tune.notes), Fraction(0))
    assert 0.9 * tune.beats < sounding <= tune.beats
    ends = [note.end_beat for note in tune.notes]
    assert all(end <= note.start_beat for end, note in zip(ends, tune.notes[1:], strict=False))


@pytest.mark.parametrize("tune", ALL, ids=lambda tune: tune.slug)
def test_phrases_can_be_hummed(tune):
    assert tune.phrases[0].start_beat == 0
    for before, phrase in zip(tune.phrases, tune.phrases[1:], strict=False):
        assert before.end_beat == phrase.start_beat
    for phrase in tune.phrases:
        assert 4 <= tune.phrase_s(phrase) <= 20
        starts = [note.start_beat for note in tune.notes if phrase.start_beat <= note.start_beat < phrase.end_beat]
        assert starts[0] == phrase.start_beat
        assert len(starts) >= 6
    pitches = [note.pitch for note in tune.notes]
    assert min(pitches) >= 55  # G3
    assert max(pitches) <= 76  # E5


@pytest.mark.parametrize("tune", ALL, ids=lambda tune: tune.slug)
def test_melody_and_chords_belong_together(tune):
    home = next(chord for chord in tune.chords if chord.root == tonic(tune.key))
    assert (tune.notes[-1].pitch - home.root) % 12 in home.intervals[:3], "it ends on a tone of its home chord"
    on_the_bar = [note for note in tune.notes if tune.bar_position(note.start_beat) == 0]
    fitting = [
        note
        for note in on_the_bar
        if (note.pitch - tune.chord_at(note.start_beat).root) % 12 in tune.chord_at(note.start_beat).intervals
    ]
    assert len(fitting) >= 0.7 * len(on_the_bar)
    in_scale = [note for note in tune.notes if note.pitch % 12 in scale(tune.key)]
    assert len(in_scale) >= 0.85 * len(tune.notes)


@pytest.mark.parametrize("slug", OPENINGS)
def test_openings_are_those_of_the_tunes(slug):
    tune = BY_SLUG[slug]
    expected = degrees_to_semitones(OPENINGS[slug])
    found = [note.pitch - tune.notes[0].pitch + expected[0] for note in tune.notes[: len(expected)]]
    assert found == expected
    assert (tune.notes[0].pitch - expected[0]) % 12 == tonic(tune.key)


# --- the reader


def test_reads_lengths_ties_rests_and_broken_rhythm():
    tune = parsed('"C"C2 D/ E/ z | F>G A<B | c2- c2 |]')
    assert [(note.pitch, note.beats) for note in tune.notes] == [
        (60, 2),
        (62, Fraction(1, 2)),
        (64, Fraction(1, 2)),
        (65, Fraction(3, 2)),
        (67, Fraction(1, 2)),
        (69, Fraction(1, 2)),
        (71, Fraction(3, 2)),
        (72, 4),
    ]
    assert tune.notes[3].start_beat == 4


def test_accidentals_hold_to_the_bar_line_and_keys_apply():
    tune = parsed('"D"F ^G G F | G =F F F |]', key="D")
    assert [note.pitch for note in tune.notes] == [66, 68, 68, 66, 67, 65, 65, 65]
    assert [note.pitch for note in parsed('"Dm"B B, b B |]', key="Ddor").notes] == [71, 59, 83, 71]


def test_an_upbeat_and_phrases_that_begin_with_one():
    tune = parsed('C | "C"E E E\nC | E E "G7"E |]')
    assert tune.upbeat == 1
    assert [(phrase.start_beat, phrase.end_beat) for phrase in tune.phrases] == [(0, 4), (4, 8)]
    assert [chord.start_beat for chord in tune.chords] == [1, 7]


@pytest.mark.parametrize(
    ("music", "line", "words"),
    [
        ('"C"C C C C C | C4 |]', 0, "more than the 4"),
        ('"C"C4 | C C |\nC4 |]', 0, "bar 2 holds 2 beats"),
        ('"C"C4 |\nC4 & C4 |]', 1, "'& C4"),
        ('"C"C4 |\n|: C4 :|', 1, "not understood"),
        ('"C"C4 | (3CDE C2 |]', 0, "not understood"),
        ('"C"C4 | "Cmaj9"C4 |]', 0, "chord 'Cmaj9'"),
        ('"C"C2- D2 |]', 0, "another pitch"),
        ('"C"C2 C2- |]', 0, "tied to nothing"),
        ('"C"C2>C |]', 0, "different length"),
        ('"C"C3 C> |\nC4 |]', 0, "no note follows"),
        ('"C"z4 |]', 0, "only rests"),
        ("C4 |]", 0, "no chord symbol"),
        ('"C"C4 |\nL:1/8', 1, "fields come first"),
        ('"C"C0 |]', 0, "zero"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(music, line, words):
    with pytest.raises(AbcError, match=r"test\.abc") as caught:
        parsed(music)
    assert f"line {FIRST_LINE + line}:" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("field", "instead", "words"),
    [
        ("T:Test", "", "T: with its title"),
        ("M:4/4", "M:waltz", "M:waltz"),
        ("L:1/4", "L:0/4", "L:0/4"),
        ("Q:1/4=100", "Q:allegro", "tempo 'allegro'"),
        ("K:C", "K:H", "key 'H'"),
        ("K:C", "K:Cquux", "key 'Cquux'"),
        ("N:year 1800", "N:long ago", "N:long ago"),
    ],
)
def test_fields_that_are_missing_or_wrong_are_named(field, instead, words):
    text = (HEADER.format(key="C") + '"C"C4 |]').replace(field, instead)
    with pytest.raises(AbcError) as caught:
        parse_abc(text, slug="test", name="test.abc")
    assert words in str(caught.value)


# --- any notes, written and read again

SIGNATURES = {"C": {}, "G": {"F": 1}, "A": {"F": 1, "C": 1, "G": 1}, "Bb": {"B": -1, "E": -1}, "Em": {"F": 1}}
SPELLINGS = {0: "C", 1: "^C", 2: "D", 3: "_E", 4: "E", 5: "F", 6: "^F", 7: "G", 8: "_A", 9: "A", 10: "_B", 11: "B"}
MARKS = {"^": 1, "_": -1}


def write_bar(bar, signature):
    """A bar of (pitch, sixteenths) in ABC with L:1/16, an accidental only where the bar so far does not say it."""
    said = {}
    words = []
    for pitch, length in bar:
        spelling = SPELLINGS[pitch % 12]
        letter, alteration = spelling[-1], MARKS.get(spelling[0], 0)
        octave = (pitch - alteration) // 12 - 5
        mark = ""
        if said.get((letter, octave), signature.get(letter, 0)) != alteration:
            mark = {1: "^", 0: "=", -1: "_"}[alteration]
            said[letter, octave] = alteration
        written = letter.lower() + "'" * (octave - 1) if octave > 0 else letter + "," * -octave
        words.append(f"{mark}{written}{length}")
    return " ".join(words)


@st.composite
def bars(draw):
    """Bars of sixteen sixteenths."""
    written = []
    for _ in range(draw(st.integers(1, 5))):
        left, bar = 16, []
        while left:
            length = draw(st.integers(1, left))
            bar.append((draw(st.integers(48, 83)), length))
            left -= length
        written.append(bar)
    return written


@given(bars=bars(), key=st.sampled_from(sorted(SIGNATURES)))
def test_notes_survive_being_written_and_read(bars, key):
    music = '"C"' + " | ".join(write_bar(bar, SIGNATURES[key]) for bar in bars) + " |]"
    text = (HEADER.format(key=key) + music).replace("L:1/4", "L:1/16")
    expected, beat = [], Fraction(0)
    for pitch, length in (note for bar in bars for note in bar):
        expected.append(Note(beat, Fraction(length, 4), pitch))
        beat += Fraction(length, 4)
    tune = parse_abc(text, slug="made")
    assert list(tune.notes) == expected
    assert tune.beats == beat
