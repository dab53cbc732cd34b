// Every limit that the browser checks sound by, each with its unit and its reason. Where the server has a limit for the
// same (ml_worker/judging/thresholds.py and quality.py), the browser is the gentler: it withholds nothing that the server
// would take, and gives advice a little earlier. ml_worker/tests/test_take_limits.py compares the two.

// --- level (take-check.js, level-meter.js)

// RMS, dBFS, of the loud tenth of a take, under which there was nobody to hear. With gain control off a hum into a phone
// at arm's length lies about -40 to -20, an open microphone in a quiet room under -60. The server calls a take without
// voice silent from -50 down; the browser withholds only what lies 8 dB lower still.
export const SILENT_DB = -58;

// The same, under which the singer is told to move closer: 4 dB before the server refuses (-50).
export const QUIET_DB = -46;

// What digital silence counts as, dBFS, as on the server.
export const NOTHING_DB = -120;

// A take's level is its loud tenth, so that rests do not count: the share of stretches that lie lower.
export const LOUD_SHARE = 0.9;

// Length of those stretches, seconds: three periods of the lowest voice.
export const STRETCH_S = 0.05;

// The word of the level meter stands at least this long, ms: it is read, not watched.
export const WORD_MS = 400;

// Bottom and top of a bar of the meter, dBFS: a quiet room, and as loud as is still safe.
export const METER_FLOOR_DB = -62;
export const METER_TOP_DB = -6;

// --- clipping

// Magnitude from which a sample touches the ceiling, full scale being 1. The server takes 0.999; a microphone's own
// converter may stop a little lower.
export const CEILING = 0.99;

// So many such samples in a row are a flattened top; one or two may be a peak that just fits. As on the server.
export const FLAT_RUN = 3;

// So many flattened tops are heard as a crackle.
export const FLAT_TOPS = 3;

// --- length

// A take shorter than this is a slip of the finger, seconds. As on the server.
export const SLIP_S = 1;

// The sung part lasts at least this share of the phrase. The server wants 0.75 of the phrase's notes, but a brisk singer
// needs less time for all of them.
export const LEAST_SHARE = 0.55;

// Nothing heard at the end for this long is worth a word of its own, seconds: every take runs on for 1 s after the phrase.
export const LOST_END_S = 2;

// Under this share of the sung part with a clear pitch it was no hum: words, breath or noise.
export const CLEAR_SHARE = 0.4;

// --- drop-outs

// Lost sound beyond this is told, seconds; the server refuses from 0.15, when a short note may be gone.
export const GAPS_S = 0.06;

// One held value this long, seconds, within sound is lost sound: the browser fills with zeros what its microphone did not
// deliver in time, and one block of it is 2.7 ms. Held further out than HOLE it is clipped or a constant. As on the server.
export const HOLE_S = 0.003;
export const HOLE = 0.01;
export const HELD = 1e-7;

// Sound breaks off at a hole and dies away into a pause: level on both sides, dBFS, over so many seconds. As on the server.
export const BESIDE_HOLE_DB = -40;
export const BESIDE_HOLE_S = 0.004;

// --- bandwidth

// Sound that ends under this, Hz, comes from a headset's call mode (8 or 16 kHz) or a telephone. As on the server.
export const NARROW_BAND_HZ = 8500;

// A microphone that runs at this rate or a lower one is narrow, Hz, whatever the room lets us hear.
export const NARROW_RATE_HZ = 16_000;

// A band of 100 Hz under this is empty, dBFS: 10 dB over the rounding noise of 16 bits. As on the server.
export const EMPTY_BAND_DB = -111;

// So much in a row must be empty, Hz. The browser's resampler leaves mirror images about the multiples of the old rate,
// 75 dB down and more, but at least 1.5 kHz above the old edge.
export const EMPTY_HZ = 1000;

// A resampled sound ends in a cliff. A good microphone in a quiet room sinks under EMPTY_BAND_DB too, but slowly: within
// 1 kHz of the edge by less than this, dB.
export const CLIFF_DB = 10;

// No voice mode ends lower than this, Hz: under it a quiet spectrum only means a quiet voice.
export const LOWEST_EDGE_HZ = 3000;

// --- the sound check

// Highest sample of the probe, dBFS: about as loud as soft speech from the same loudspeaker, and 8 dB under the count-in.
export const PROBE_LEVEL_DB = -26;

// A leak of the loudspeaker into the microphone weaker than this, dB, means headphones, whatever they are: a melody played
// at -20 dBFS then comes back at -60, where the level meter says "silent" and 20 to 40 dB under a hum.
export const HEADPHONES_BELOW_DB = -40;

// The probe's envelope stands so far over the median of the noise's before it counts, dB. A Rayleigh envelope of 5000
// independent lags exceeds its median by 13.4 dB once in a thousand recordings.
export const OVER_NOISE_DB = 15;

// The five sweeps must agree in size and phase: 1 when they are alike, 0.8 when a waking Bluetooth loudspeaker swallowed
// one, 0.2 when a knock was heard instead. Of five sweeps in plain noise one lag in forty agrees so well.
export const LEAST_AGREEMENT = 0.6;

// The direct sound may be weaker than its strongest echo: the earliest peak over this share of the highest counts ...
export const FIRST_SHARE = 0.35;

// ... when it comes at most so much earlier, seconds: 10 m of detour.
export const FIRST_WITHIN_S = 0.03;

// An echo this long after the first arrival still belongs to the leak, seconds.
export const ECHO_S = 0.15;

// How late a probe may come back, seconds. Bluetooth loudspeakers take up to 0.3, and the microphone's way comes on top.
export const MOST_LATENCY_S = 0.8;

// A microphone that gives exact zeros for more than this share of the time is muted, or a headset that has only just
// woken: a real one always hisses.
export const MUTED_SHARE = 0.1;

// --- the AudioContext (studio.js)

// How long a sleeping AudioContext may take to wake, ms; then a new one is made.
export const WAKE_MS = 1500;

// How long after its due time a block of the microphone is waited for, seconds.
export const PATIENCE_S = 1;

// The audio clock has stood still when it falls this much behind the computer's, seconds; else the two differ by 3 ms
// in 30 s.
export const CLOCK_STOOD_S = 0.25;
