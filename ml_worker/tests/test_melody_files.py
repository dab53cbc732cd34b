"""Melodies come from audio, MIDI and texts alike, and a file without one is refused in a sentence."""

import contextlib
import os

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.audio import melody_files
from ml_worker.audio.melody_files import (
    HOP_S,
    LEGATO_S,
    MidiNote,
    ReadingStopped,
    hear,
    melody_of_notes,
    read_melodies,
    read_melody,
)
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.tests.made_audio import encoded, tone


def midi_file(path, *tracks, tempi=((0, 500_000),), ticks_per_beat=480):
    """A MIDI file of (name, channel, [(start tick, end tick, number)]), with tempo changes in its first track."""
    midi = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    events = [(tick, mido.MetaMessage("set_tempo", tempo=tempo)) for tick, tempo in tempi]
    midi.tracks.append(in_order(events))
    for name, channel, notes in tracks:
        sounds = [(start, mido.Message("note_on", note=number, channel=channel)) for start, _, number in notes]
        ends = [(end, mido.Message("note_off", note=number, channel=channel)) for _, end, number in notes]
        midi.tracks.append(in_order([*ends, *sounds]))
        midi.tracks[-1].insert(0, mido.MetaMessage("track_name", name=name))
    midi.save(path)
    return path


def in_order(events):
    track, now = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def attacks_s(melody):
    return [float(round(place * melody.hop_s, 2)) for place in np.flatnonzero(melody.attack)]


# ------------------------------------------------------------------------------------------------------------ MIDI


def test_repeated_notes_stay_apart_by_their_attacks(tmp_path):
    path = midi_file(tmp_path / "a.mid", ("", 0, [(0, 480, 60), (480, 960, 60), (960, 1440, 62)]))
    melody = read_melody(path)
    assert attacks_s(melody) == [0.0, 0.5, 1.0]
    assert set(melody.attack) == {0.0, 1.0}
    assert melody.attack.dtype == np.float32
    assert np.all(melody.voiced[:150])
    assert melody.pitch()[[10, 60, 110]] == pytest.approx([60, 60, 62], abs=1e-4)


def test_silence_before_the_first_note_keeps_its_time(tmp_path):
    melody = read_melody(midi_file(tmp_path / "a.mid", ("", 0, [(1920, 2400, 60)])))
    assert not melody.voiced[:200].any()
    assert attacks_s(melody) == [2.0]


def test_the_tempo_may_change_in_any_track(tmp_path):
    tempi = [(0, 500_000), (480, 1_000_000), (960, 250_000)]
    path = midi_file(tmp_path / "a.mid", ("", 0, [(0, 480, 60), (480, 960, 62), (960, 1440, 64)]), tempi=tempi)
    melody = read_melody(path)
    assert attacks_s(melody) == [0.0, 0.5, 1.5]
    assert np.flatnonzero(melody.voiced)[-1] * HOP_S == pytest.approx(1.75, abs=2 * HOP_S)


def test_the_track_of_the_melody_is_taken_and_drums_are_not(tmp_path):
    low, high, drums = ("MELODY", 0, [(0, 480, 55)]), ("flute", 1, [(0, 480, 84)]), ("kit", 9, [(0, 480, 100)])
    named = read_melody(midi_file(tmp_path / "a.mid", high, low, drums))
    highest = read_melody(midi_file(tmp_path / "b.mid", ("bass", 0, [(0, 480, 40)]), high, drums))
    assert named.pitch()[10] == pytest.approx(55, abs=1e-4)
    assert highest.pitch()[10] == pytest.approx(84, abs=1e-4)


def test_of_a_chord_the_top_note_is_heard_and_attacks_below_it_are_not():
    melody = melody_of_notes([MidiNote(0, 2, 72), MidiNote(0, 2, 60), MidiNote(0.5, 1.0, 64), MidiNote(1.0, 1.5, 65)])
    assert melody.pitch()[:200] == pytest.approx(72, abs=1e-4)
    assert attacks_s(melody) == [0.0]


def test_a_note_that_reaches_a_moment_into_the_next_ends_there():
    melody = melody_of_notes([MidiNote(0, 0.5 + LEGATO_S / 2, 72), MidiNote(0.5, 1.0, 60)])
    assert melody.pitch()[[49, 51]] == pytest.approx([72, 60], abs=1e-4)
    assert attacks_s(melody) == [0.0, 0.5]


NOTES = st.lists(
    st.builds(
        lambda start, length, number: MidiNote(start / 20, (start + length) / 20, number),
        st.integers(0, 60), st.integers(1, 20), st.integers(30, 90),
    ),
    min_size=1, max_size=15,
)  # fmt: skip


@given(NOTES)
def test_every_attack_is_a_note_s_and_what_sounds_is_a_note_that_was_written(notes):
    melody = melody_of_notes(notes)
    pitch = melody.pitch()
    for place in np.flatnonzero(melody.attack):
        assert any(
            round(n.start_s / HOP_S) == place and pitch[place] == pytest.approx(n.number, abs=1e-3) for n in notes
        )
    for place in np.flatnonzero(melody.voiced):
        sounding = [n.number for n in notes if n.start_s <= place * HOP_S + 1e-9 and place * HOP_S < n.end_s + 1e-9]
        assert any(pitch[place] == pytest.approx(number, abs=1e-3) for number in sounding)
    first = min(note.start_s for note in notes)
    assert np.flatnonzero(melody.voiced)[0] == round(first / HOP_S)


@given(st.binary(max_size=300))
def test_no_bytes_whatever_break_the_reader_of_midi(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.mid"
    for start in (b"", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x40"):
        path.write_bytes(start + content)
        with contextlib.suppress(UnusableAudio):
            read_melody(path)


def test_midi_without_notes_or_longer_than_an_hour_is_refused(tmp_path):
    with pytest.raises(UnusableAudio, match="holds no notes"):
        read_melody(midi_file(tmp_path / "a.mid", ("", 9, [(0, 480, 60)])))
    with pytest.raises(UnusableAudio, match="longer than an hour"):
        read_melody(midi_file(tmp_path / "b.mid", ("", 0, [(0, 480 * 10_000, 60)])))


# ----------------------------------------------------------------------------------------------------------- texts


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


NAMED = "\ufefftime,f0\r\n# made\r\n0,220,1\r\n0.01,220,1\r\n0.02,0,0\r\n0.03,440,1\r\n"


@pytest.mark.parametrize("text", ["0 220\n0.01 220\n0.02 0\n0.03 440", NAMED])
def test_a_pitch_curve_is_taken_as_it_is(tmp_path, text):
    melody = read_melody(written(tmp_path / "a.csv", text))
    assert melody.f0_hz.tolist() == [220, 220, 0, 440]
    assert melody.voiced.tolist() == [True, True, False, True]
    assert melody.attack is None


def test_a_curve_on_another_hop_keeps_its_times(tmp_path):
    lines = [f"{t:.4f}\t{220 if 1 <= t < 2 else 0}" for t in np.arange(0, 3, 0.0058)]
    melody = read_melody(written(tmp_path / "a.txt", "\n".join(lines)))
    sounding = np.flatnonzero(melody.voiced) * melody.hop_s
    assert (sounding[0], sounding[-1]) == pytest.approx((1, 2), abs=0.015)


def test_a_pitch_vector_is_in_semitones_at_its_own_pace(tmp_path):
    melody = read_melody(written(tmp_path / "00001.pv", "0\r\n57\r\n 69.5\r\n0\r\n"))
    assert melody.hop_s == 0.032
    assert melody.pitch()[1:3] == pytest.approx([57, 69.5], abs=1e-3)
    assert melody.voiced.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[("a.txt", text) for text in ("", "Twinkle, twinkle", "0 220", "1 220\n0 220", "0\n1\n2", "nan 220\n1 220")],
        *[("a.txt", text) for text in ("0 220\ninf 220", "0 220\n99999 220", "0 1e9\n1 220", "0 220\n1 la")],
        *[("a.pv", text) for text in ("", "220\n440", "-1", "la\nla", "nan")],
    ],
)
def test_texts_that_are_no_curves_are_refused_by_name(tmp_path, name, text):
    with pytest.raises(UnusableAudio, match=name):
        read_melody(written(tmp_path / name, text))


@pytest.mark.parametrize("name", ["a.f0", "a.pv"])
def test_a_curve_of_gigabytes_is_refused_unread(tmp_path, name):
    with (tmp_path / name).open("wb") as file:
        file.truncate(2 * 1024**3)
    with pytest.raises(UnusableAudio, match=f"{name} is larger than 64 MB"):
        read_melody(tmp_path / name)


def test_a_curve_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(UnusableAudio, match="not a text"):
        read_melody(tmp_path / "a.csv")


# ----------------------------------------------------------------------------------------------------------- audio


def test_a_file_named_wav_that_is_mp4_inside_is_read(tmp_path):
    path = tmp_path / "hum.wav"
    path.write_bytes(encoded(tone(2.0, hz=220), "mp4", "aac"))
    assert b"ftyp" in path.read_bytes()[:16]
    melody = read_melody(path)
    assert np.median(melody.pitch()[melody.voiced]) == pytest.approx(57, abs=0.3)


def clicks(samples):
    samples[2000::4000] = 1.0
    return samples


@pytest.mark.parametrize(
    ("what", "seconds", "make"),
    [
        ("silence", 2.0, lambda samples: samples),
        ("noise", 2.0, lambda samples: samples + np.random.default_rng(0).normal(0, 0.1, len(samples))),
        ("clicks", 2.0, clicks),
        ("a fifth of a second", 0.2, lambda samples: samples),
        ("one sample", 1 / 16_000, lambda samples: samples + 0.5),
    ],
)
def test_bad_audio_has_a_melody_of_little_or_nothing_or_is_refused(tmp_path, what, seconds, make):
    sound = Sound.from_mono(make(np.zeros(round(seconds * 16_000))), 16_000)
    path = tmp_path / "bad.wav"
    path.write_bytes(encoded(sound, "wav", "pcm_s16le"))
    (reading,) = read_melodies([path])
    if reading.melody is None:
        assert reading.problem
    else:
        assert reading.melody.voiced.mean() < 0.2, what


def test_what_is_absent_or_no_audio_is_refused(tmp_path):
    for name in ("absent.wav", "x" * 300, "nul\0.wav"):
        with pytest.raises(UnusableAudio, match="There is no file"):
            read_melody(tmp_path / name)
    with pytest.raises(UnusableAudio, match="not audio"):
        read_melody(written(tmp_path / "a.wav", "This is a letter, not a sound. " * 9))


def test_what_is_heard_is_the_melody_and_its_sound(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(tone(2.0), "wav", "pcm_s16le"))
    heard = hear(path)
    assert heard.sound.duration_s == pytest.approx(2.0)
    np.testing.assert_array_equal(heard.melody.f0_hz, read_melody(path).f0_hz)
    assert hear(midi_file(tmp_path / "a.mid", ("", 0, [(0, 480, 60)]))).sound is None
    assert hear(written(tmp_path / "a.csv", "0,220\n1,220")).sound is None


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UnusableAudio, match="is a folder"):
        read_melody(tmp_path)


# ------------------------------------------------------------------------------------------------------ many files


def test_many_files_are_read_in_order_with_word_of_each(tmp_path, monkeypatch):
    monkeypatch.setattr(melody_files, "MANY_FILES", 4)
    paths = [midi_file(tmp_path / f"{number}.mid", ("", 0, [(0, 480, 40 + number)])) for number in range(6)]
    paths[3].write_bytes(b"no MIDI")
    said = []
    readings = read_melodies(paths, processes=2, progress=lambda share, message: said.append((share, message)))
    numbers = [None if one.melody is None else round(float(one.melody.pitch()[5])) for one in readings]
    assert numbers == [40, 41, 42, None, 44, 45]
    assert "3.mid is not a MIDI file" in readings[3].problem
    assert all(one.seconds > 0 for one in readings)
    assert [message for _, message in said] == [f"{number + 1} of 6: {number}.mid" for number in range(6)]
    assert said[-1][0] == 1


class Deadly:
    """Ends the process that it is handed to, as the system does where memory runs out."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_process_that_is_killed_ends_the_reading_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(melody_files, "MANY_FILES", 2)
    with pytest.raises(ReadingStopped, match=r"was killed.*Close other programs"):
        read_melodies([Deadly(), tmp_path / "a.mid"], processes=2)


def test_no_files_give_no_readings():
    assert read_melodies([]) == []


def test_a_pitch_vector_may_have_several_numbers_a_line(tmp_path):
    (tmp_path / "rows.pv").write_text("60 60 62\n64 0 65\n")
    (tmp_path / "column.pv").write_text("60\n60\n62\n64\n0\n65\n")
    rows, column = (read_melody(tmp_path / name) for name in ("rows.pv", "column.pv"))
    assert rows.f0_hz.tolist() == column.f0_hz.tolist()


def test_a_curve_that_ends_before_its_beginning_is_refused(tmp_path):
    (tmp_path / "before.f0").write_text("-3 220\n-2 220\n")
    with pytest.raises(UnusableAudio, match="not a pitch curve"):
        read_melody(tmp_path / "before.f0")
