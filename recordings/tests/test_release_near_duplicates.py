"""One sound or one work that is in two splits is found, whatever was done to it, and two are not taken for one."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.release.checked import near_duplicates as module
from recordings.release.checked.near_duplicates import (
    ALIKE,
    FEWEST_FRAMES,
    HOP,
    RATE,
    Fingerprint,
    Index,
    NearDuplicate,
    compare,
    near_duplicates,
    same_work,
    work_key,
)

SAMPLE_RATE = 44_100
NOTES = (220.0, 247.0, 262.0, 294.0, 330.0, 349.0, 392.0, 440.0)


def performance(seconds, seed, tune_seed=1):
    """A voice-like tune: the tune is one thing, and when its notes come and how they sound another."""
    tune, chance = np.random.default_rng(tune_seed), np.random.default_rng(seed)
    out, at_note = np.zeros(0), 0
    while len(out) < seconds * SAMPLE_RATE:
        length_s = tune.choice([0.25, 0.5, 0.75]) * chance.uniform(0.9, 1.1)
        pitch = tune.choice(NOTES) * 2 ** (chance.normal(0, 0.15) / 12)
        time = np.arange(round(length_s * SAMPLE_RATE)) / SAMPLE_RATE
        phase = 2 * np.pi * pitch * time + 0.6 * np.sin(2 * np.pi * chance.uniform(4.5, 6.5) * time)
        partials = sum(chance.uniform(0.3, 1) / n * np.sin(n * phase) for n in range(1, 9))
        out = np.concatenate([out, partials * np.minimum(1, np.minimum(time, time[::-1]) / 0.03)])
        at_note += 1
    out = out[: round(seconds * SAMPLE_RATE)]
    return (0.1 * (out + 0.02 * chance.normal(size=len(out)))).astype(np.float32)


TAKE = performance(10, seed=1)


def cut(samples, start_s, end_s):
    return samples[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]


def through(codec, samples, *options):
    """Samples as they come back from a codec."""
    ffmpeg, raw = imageio_ffmpeg.get_ffmpeg_exe(), ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "1"]
    quiet = [ffmpeg, "-v", "error"]
    kind, container = codec
    encode = [*quiet, *raw, "-i", "-", "-c:a", kind, *options, "-f", container, "-"]
    there = subprocess.run(encode, input=samples.tobytes(), capture_output=True, check=True).stdout
    back = subprocess.run([*quiet, "-i", "-", *raw, "-"], input=there, capture_output=True, check=True).stdout
    return np.frombuffer(back, np.float32)


def found(*clips):
    """The near-duplicates among (samples, rate) or samples, each in a split of its own."""
    index = Index()
    for number, clip in enumerate(clips):
        samples, rate = clip if isinstance(clip, tuple) else (clip, SAMPLE_RATE)
        index.add(number, (str(number),), Fingerprint.of(samples, rate))
    return list(index.leaks())


TWINS = {
    "mp3": lambda: through(("libmp3lame", "mp3"), TAKE, "-b:a", "48k"),
    "opus": lambda: through(("libopus", "ogg"), TAKE, "-b:a", "24k"),
    "aac": lambda: through(("aac", "adts"), TAKE, "-b:a", "48k"),
    "telephone": lambda: (soxr.resample(TAKE, SAMPLE_RATE, 8_000), 8_000),
    "resampled": lambda: (soxr.resample(TAKE, SAMPLE_RATE, 48_000), 48_000),
    "quiet": lambda: TAKE * 0.01,
    "upside down": lambda: -TAKE,
    "stereo": lambda: np.stack([TAKE, 0.2 * TAKE], axis=1),
    "padded": lambda: np.concatenate([np.zeros(54_321, np.float32), TAKE, np.zeros(9_876, np.float32)]),
    "in 8 bits": lambda: np.round(TAKE * 127) / 127,
    "another cut": lambda: cut(TAKE, 6.9973, 10),
    "cut and encoded": lambda: through(("libmp3lame", "mp3"), cut(TAKE, 1.234, 4.3), "-b:a", "64k"),
}


@pytest.mark.parametrize("name", TWINS)
def test_the_same_sound_is_found(name):
    (pair,) = found(TAKE, TWINS[name]())
    assert (pair.one, pair.other) == (0, 1)
    assert ALIKE <= pair.likeness <= 1
    expected_s = 3.0 if "cut" in name else 10.0
    assert pair.overlap_s == pytest.approx(expected_s, abs=0.25)


def test_two_cuts_that_overlap_by_three_seconds_are_found():
    (pair,) = found(cut(TAKE, 0, 5.5), cut(TAKE, 2.5031, 10))
    assert pair.overlap_s == pytest.approx(3.0, abs=0.05)


def test_two_performances_of_one_tune_are_two_sounds():
    takes = [performance(8, seed) for seed in range(2, 10)]
    assert found(TAKE, *takes) == []


def test_noise_silence_and_what_is_too_short_are_like_nothing():
    noise = [np.random.default_rng(seed).normal(size=5 * SAMPLE_RATE).astype(np.float32) for seed in (1, 2)]
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    assert found(*noise, silence, silence, TAKE[:400], TAKE[:400], TAKE[:0], cut(TAKE, 0, 1), cut(TAKE, 0, 1)) == []


def test_only_what_is_on_two_sides_of_a_split_leaks():
    heard = Fingerprint.of(TAKE, SAMPLE_RATE)
    index = Index()
    for key, sides in (
        ("train", ("train", "")),
        ("again", ("train", "")),
        ("test", ("test", "")),
        ("Ann", ("train", "train")),
        ("Bob", ("train", "test")),
    ):
        index.add(key, sides, heard)
    pairs = {frozenset((pair.one, pair.other)) for pair in index.leaks()}
    with_test = {frozenset(("test", key)) for key in ("train", "again", "Ann", "Bob")}
    assert pairs == with_test | {frozenset(("Ann", "Bob"))}
    assert list(Index().leaks()) == []


def test_of_a_sound_that_is_everywhere_some_leak_is_found():
    """Of more copies than are looked at for each word."""
    heard = Fingerprint.of(cut(TAKE, 0, 4), SAMPLE_RATE)
    index = Index()
    for number in range(2 * module.NEXT_ONES):
        index.add(number, ("train" if number < module.NEXT_ONES else "test",), heard)
    assert any(pair.likeness == 1 for pair in index.leaks())


def test_noises_at_even_distances_hide_nothing():
    """A few places are looked at before all are: a metronome must not be at every one of them."""
    seconds, burst = 40, 4_400
    take, chance = performance(seconds, seed=4), np.random.default_rng(5)
    noisy, words = take.copy(), (seconds * RATE - module.FRAME) / HOP
    for middle_s in ((np.arange(module.GLANCE) + 0.5) / module.GLANCE * words * HOP + module.FRAME / 2) / RATE:
        start = round(middle_s * SAMPLE_RATE) - burst // 2
        noisy[start : start + burst] += chance.normal(size=burst)
    assert [pair.likeness >= ALIKE for pair in found(take, noisy)] == [True]


def test_sounds_with_many_words_in_common_are_hardly_ever_compared_in_full(monkeypatch):
    """Voices that glide by chance: most pairs have words in common, and no pair is one sound."""
    draw, times = np.random.default_rng(1), np.arange(6 * 16_000) / 16_000
    turns, index, compared = np.arange(0, 6.2, 0.15), Index(), []
    for number in range(60):
        hz = 110 * 2 ** np.interp(times, turns, draw.uniform(0, 2, len(turns)))
        phase = 2 * np.pi * np.cumsum(hz) / 16_000
        voice = sum(np.sin(overtone * phase) / overtone for overtone in (1, 2, 3, 4, 5))
        index.add(number, (str(number),), Fingerprint.of(voice, 16_000))
    monkeypatch.setattr(module, "compare", lambda *places: compared.append(places) or compare(*places))
    assert list(index.leaks()) == []
    assert len(compared) < 60


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(FEWEST_FRAMES, 180), st.integers(FEWEST_FRAMES, 180), st.integers(-60, 60))
def test_comparing_against_bit_by_bit(data, length, other_length, shift):
    chance = np.random.default_rng(data.draw(st.integers(0, 99)))

    def fingerprint(count):
        return Fingerprint(chance.integers(0, 2**32, count, np.uint32), chance.random(count) < 0.99)

    one, other = fingerprint(length), fingerprint(other_length)
    agreeing = sounding = overlap = 0
    for place in range(length):
        if 0 <= place - shift < other_length:
            overlap += 1
            if one.sounds[place] and other.sounds[place - shift]:
                sounding += 1
                agreeing += 32 - bin(int(one.words[place]) ^ int(other.words[place - shift])).count("1")
    likeness, overlap_s = compare(one, other, shift)
    if sounding < FEWEST_FRAMES:
        assert likeness == 0
    else:
        assert likeness == pytest.approx(agreeing / sounding / 32)
        assert overlap_s == pytest.approx((overlap * HOP + module.FRAME) / RATE)


def test_a_file_has_the_fingerprint_of_its_samples(tmp_path):
    soundfile.write(tmp_path / "a.flac", TAKE, SAMPLE_RATE, "PCM_16")
    whole, file = Fingerprint.of(TAKE, SAMPLE_RATE), Fingerprint.of_file(tmp_path / "a.flac")
    assert len(whole.words) == len(file.words)
    assert compare(whole, file, 0)[0] > 0.98
    (tmp_path / "b.flac").write_text("no audio")
    with pytest.raises(soundfile.LibsndfileError):
        Fingerprint.of_file(tmp_path / "b.flac")


def test_rows_of_a_release(tmp_path):
    soundfile.write(tmp_path / "a.flac", TAKE, SAMPLE_RATE, "PCM_16")
    soundfile.write(tmp_path / "b.wav", soxr.resample(TAKE, SAMPLE_RATE, 16_000), 16_000, "FLOAT")
    soundfile.write(tmp_path / "c.flac", performance(6, 7), SAMPLE_RATE, "PCM_16")
    (tmp_path / "d.flac").write_text("no audio")
    rows = [
        {"audio": "a.flac", "split": "train", "singer_split": "train"},
        {"audio": "b.wav", "split": "train", "singer_split": "test"},
        {"audio": "c.flac", "split": "test"},
        {"audio": "d.flac", "split": "test", "singer_split": ""},
        {"audio": "", "split": "validation", "singer_split": ""},
    ]
    told = []
    ((one, other, likeness),) = near_duplicates(tmp_path, rows, lambda share, message: told.append(share))
    assert (one, other) == (rows[0], rows[1])
    assert likeness > 0.95
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1


def test_a_pair_says_what_it_is():
    assert NearDuplicate("a", "b", 0.9, 3.0)._asdict() == {"one": "a", "other": "b", "likeness": 0.9, "overlap_s": 3.0}


# --- works


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Let It Be", "The Beatles"), ("let it be", "Beatles")),
        (("Let It Be (Live)", "The Beatles"), ("Let it Be - Remastered 2009", "Beatles, The")),
        (("Für Elise", "Beethoven"), ("Fur Elise", "BEETHOVEN")),
        (("Don't Stop", "Fleetwood Mac"), ("Don’t stop!", "Fleetwood Mac")),
        (("Umbrella (feat. Jay-Z)", "Rihanna"), ("Umbrella ft. Jay Z", "Rihanna feat. Jay-Z")),
        (("Rock & Roll", "Led Zeppelin"), ("Rock and Roll [Official Video]", "Led  Zeppelin")),
        (("Æ Ø", "Sigur Rós"), ("ae o", "Sigur Ros")),
        (("ДЕНЬ", "Кино"), ("день", "КИНО")),
        (("Prelude in C# Minor", "Bach"), ("Prelude in C-sharp minor", "Bach")),
    ],
)
def test_one_work_entered_twice(one, other):
    assert same_work(*one, *other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Hello", "Adele"), ("Hello", "Lionel Richie")),
        (("Symphony No. 5", "Beethoven"), ("Symphony No. 6", "Beethoven")),
        (("Part 1", "A"), ("Part 2", "A")),
        (("Another Brick in the Wall (Part 1)", "Pink Floyd"), ("Another Brick in the Wall (Part 2)", "Pink Floyd")),
        (("Live", "A Band"), ("Demo", "A Band")),
        (("(Live)", "A Band"), ("(Demo)", "A Band")),
        (("Live and Let Die", "Wings"), ("Let Die", "Wings")),
        (("The The", "A"), ("A", "A")),
        (("?", "A"), ("!", "A")),
        (("愛", "A"), ("恋", "A")),
        (("The Sound - of Silence", "A"), ("The Sound", "A")),
        (("Prelude in C Minor", "A"), ("Prelude in C# Minor", "A")),
        (("Prelude in B", "A"), ("Prelude in B♭", "A")),
    ],
)
def test_two_works(one, other):
    assert not same_work(*one, *other)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_a_key_is_empty_only_for_nothing(title, artist):
    assert [bool(part) for part in work_key(title, artist)] == [bool(title.strip()), bool(artist.strip())]


@settings(max_examples=200, deadline=None)
@given(
    st.text("abcdé :?&-", min_size=1, max_size=30).filter(str.strip),
    st.sampled_from(["live", "Radio Edit", "2011 Remaster"]),
)
def test_what_is_said_of_a_recording_changes_no_key(title, said):
    assert work_key(f"{title} ({said})", "Ann") == work_key(title.upper(), "ann") or not any(map(str.isalpha, title))
