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
#
# Error rates are of `python -m ml_worker.judging.measure --only sound`: real takes (13, cut from eight recordings) and
# simulated ones (15; 54 of the leak's), made worse by a known amount. Where two counts stand, the first is of the real.

SHORTEST_TAKE_S = 1.0
"""A recording shorter than this is a slip of the finger. Takes cut to 0.3, 0.6 and 0.9 s of voice: none of 84
passes."""

LONGEST_TAKE_S = 120.0
"""A recording longer than this is not of one fragment, which lasts 20 s at most. It is not searched."""

LEAST_VOICE_S = 0.8
"""Voice that a take must have, seconds, to be looked at as a melody. Rooms and white noise of -45 to -15 dBFS without
voice: none of 168 passes."""

QUIET_SOUND_DB = -50.0
"""A take without voice whose loudest parts stay under this level, dB of full scale, is called silent, not noisy: an
open microphone in a quiet room stays under -55. Rooms at -75, -65 and -55: all of 84 are called silent; voices at -40
and -48: none of 56."""

TOO_QUIET_DB = -50.0
"""Voice under this level, dB of full scale, is refused: over a microphone's own noise at -70 and 16 bits the tracker
keeps 96 % of the melody at -45, 93 % at -48, 58 % at -55 and 15 % at -60. Refuses none of 112 at -45 and louder, passes
none of 84 at -55 and quieter."""

CLIPPED_SHARE = 0.01
"""Share of samples clipped above which a take is refused. Peaks 3 dB over full scale: 2 of 13 real takes are refused
(14 of 15 simulated ones, whose level is more even, so that more of them clips); 6 dB over: 1 of 28 passes, and is
told; 9 dB and more, or 12 dB and then turned down: none of 168 passes. It was 0.005, which refused 6 of 13 at 3 dB,
where the distortion lies 21 dB and more under the voice, and gained nothing from 9 dB on. The tracker keeps the melody
at every drive up to 20 dB: the limit is for the ear."""

SOME_CLIPPED_SHARE = 0.0002
"""The same, above which the singer is told. Peaks at or under full scale: none of 56 told; 1 dB over: 6 of 13, 21 of
28."""

NOISY_SNR_DB = 6.0
"""Voice over the quiet between, dB, under which a take is refused: as much noise as voice reads 3. Noise 9 dB or more
under the voice: none of 224 refused. 3 dB under: of white noise none of 28 passes; of a room's, which comes and goes,
17 of 28 pass and are told (92 % of their melody is kept). As loud as the voice: none of 56 passes."""

SOME_NOISE_SNR_DB = 15.0
"""The same, under which the singer is told. Noise 20 and 30 dB under the voice: none of 112 told; 12 dB under: all of
56. Real hums in the test data read 26 to 64."""

DROPPED_S = 0.15
"""Seconds of holes in the sound from which a take is refused: a short note may be gone. As recorded and with gated
pauses: none of 56 refused or told; holes of 10 or 60 ms in all: all of 56 told, none refused; of 300 and 600 ms: none
of 84 passes. One hole of 2.7 ms, a browser's audio block, is not seen (quality.DROPOUT_S)."""

NARROW_BAND_HZ = 8500.0
"""A take without any sound above this comes from a headset's call mode (8 or 16 kHz) or a telephone; it is told so. As
recorded, with gated pauses, or without what lies over 10 kHz: none of 84 told; calls at 8 and 16 kHz: all of 56."""

LEAK_DB = -12.0
"""Level of the reference in a take against all else, dB, from which the take is refused. One frame in twenty of the
melody is the loudspeaker's at a true level of -12 dB, one in eleven at -6, one in four at 0. Levels read 1.2 dB low.
Without a leak none of 188 is refused (80 real voices beside real songs, 54 simulated along with the same notes, 54
steady synthetic hums of exactly the reference's notes); at -12 dB none of 134 (without the steady ones), at -9 dB all
but 2, from -6 dB on all."""

FAINT_LEAK_DB = -40.0
"""A leak under this, dB against the rest of the take, tells no latency: what stands so faint may be chance. A voice
that copied the reference's curve exactly was once taken for a leak of -67 dB. Leaks that are told start
16 dB over it."""

SOME_LEAK_DB = -24.0
"""The same, from which the singer is told: 2 % of the melody goes at -24 dB. Without a leak none of 188 is told; at -30
dB none of 134, at -24 dB 1, at -18 dB all. Found, and so of use for the latency, are 119 of 134 at -30 dB and all from
-18 dB on, the delay off by 0.03 ms (90 %: 0.06)."""

WORDS_VOWEL_CHANGE_DB = 2.2
"""How much the spectral shape of the voiced frames varies (words.WordSigns), dB, from which the vowels change. Both
this and the hiss must be over for words to be told. Real takes of about 8 s: sung words 2.5 to 3.4, speech 2.3 to 2.7,
no words 0.8 to 1.7; simulated up to 2.4."""

WORDS_HISS_SHARE = 0.006
"""Share of frames that hiss from which there are consonants. Takes of about 8 s: sung words from 0.7 %, no words up to
0.3 %, simulated none. Told are 9 of 9 sung on words (five recordings) and none of 6 without (five recordings); of
takes of 5 s 11 of 13 and none of 7; of simulated ones none of 45. With each limit set without the recording in
question: 7 of 9 and 11 of 13, none without words. By telephone, which passes no hiss: 4 of 22. Both limits were set on
these recordings, and there are few."""
