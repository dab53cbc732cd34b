"""Every limit of the automatic check, each with its reason and the errors it was measured to make.

Measured figures stand in docs/experiments-judging.md with their commands.
"""

from __future__ import annotations

# --- the melody

SIMILAR = 0.46
"""Distance (alignment.Alignment.distance) up to which a hum is this melody; the similarity is 0.5 there. The least, on
f0/mast's tuning melodies, that refuses under 5 % of what a jury passed (4.5 %, 3 of 67), where it accepts 18 % of what
the jury failed and none of 603 different melodies. Held out: refuses 7.3 % (6 of 82), accepts 24 % of the failed and
1.1 % of the different (8 of 738). What passes is double-checked by people.
`python -m ml_worker.judging.measure --only mast --melodies both`
"""

COVERED = 0.75
"""Share of the fragment's voiced frames that a take must hum. A quarter missing still is the phrase to a listener and
leaves at least 3 s of a fragment of 4 s; of half a phrase no fingerprint window of 3 s can be trained."""

PART_SIMILAR = 0.35
"""Distance, without what is missing, up to which an incomplete take is the right tune cut off rather than another tune.
Lower than SIMILAR: a short piece of a melody is found by chance in another more easily than a whole one."""

LEAST_PART = 0.55
"""Share of the fragment that must be found for that to be said: with less, it is chance too often."""

COMPLETE = 0.9
"""Share from which on nothing is said to be missing."""

HALF_HUMMED = 0.5
"""A hum with less than this share of the fragment's seconds of voice cannot be all of it at any likely tempo."""

FLAT_SHARE = 0.4
"""A hum that moves over less than this share of the reference's range is one held note, which lies close to any calm
melody. What a jury passed moves over 0.78 or more of it (f0/mast, tuning melodies; `measure --only passed`)."""

WIDE_SHARE = 2.0
"""A hum that moves over more than this share of the reference's range is another tune, not this one cut off or out of
time. 95 % of what a jury passed stays under 1.6 (f0/mast, tuning melodies; `measure --only passed`)."""

BENT_S = 0.12
"""Standard deviation of the timing, seconds, above which notes that are right are sung out of time. 95 % of
what a jury passed stays under 0.10 (f0/mast, tuning melodies; `measure --only passed`)."""

RIGHT_NOTES = 0.2
"""Pitch cost, semitones squared, up to which the notes are right: 0.45 semitones. 95 % of what a jury passed stays
under 0.49 semitones (f0/mast, tuning melodies; `measure --only passed`)."""

SHORTEST_REFERENCE_S = 1.5
"""Voice that a reference must have, seconds: with less there are two or three notes, which fit anything."""

FLATTEST_REFERENCE_ST = 0.8
"""Range (10th to 90th percentile) that a reference must have, semitones: less is one note with its vibrato."""

LATE_S = 0.9
"""Hummed along, a take later than this after the reference is told so; latency and reaction take up to 0.5 s."""

EARLY_S = 0.3
"""The same before it."""

# --- the sound

SHORTEST_TAKE_S = 1.0
"""A recording shorter than this is a slip of the finger."""

LONGEST_TAKE_S = 120.0
"""A recording longer than this is not of one fragment, which lasts 20 s at most. It is not searched."""

LEAST_VOICE_S = 0.8
"""Voice that a take must have, seconds, to be looked at as a melody."""

QUIET_SOUND_DB = -50.0
"""A take without voice whose loudest parts stay under this level, dB of full scale, is called silent, not noisy: an
open microphone in a quiet room stays under -55."""

TOO_QUIET_DB = -50.0
"""Voice under this level is refused: 16-bit rounding and the room are then 40 dB away at best. Real hums in the test
data lie between -36 and -10."""

CLIPPED_SHARE = 0.005
"""Share of samples clipped above which a take is refused. A sine driven 1 dB over full scale clips a quarter of its
samples, a voice at 3 dB over about one per cent."""

SOME_CLIPPED_SHARE = 0.0002
"""The same, above which the singer is told."""

NOISY_SNR_DB = 6.0
"""Voice over the quiet between, dB, under which a take is refused: as much noise as voice reads 3."""

SOME_NOISE_SNR_DB = 15.0
"""The same, under which the singer is told. Real hums in the test data read 26 to 64."""

DROPPED_S = 0.15
"""Seconds of holes in the sound from which a take is refused: a short note may be gone."""

NARROW_BAND_HZ = 8500.0
"""A take without any sound above this comes from a headset's call mode (8 or 16 kHz) or a telephone; it is told so."""

LEAK_DB = -12.0
"""PLACEHOLDER"""

SOME_LEAK_DB = -24.0
"""PLACEHOLDER"""

WORDS_VOWEL_CHANGE_DB = 2.2
"""PLACEHOLDER"""

WORDS_HISS_SHARE = 0.006
"""PLACEHOLDER"""
