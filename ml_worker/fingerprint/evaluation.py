"""How well fingerprints find their own: versions against all originals, by song."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.data import AlignedPair, Tune, part_from_a_note
from ml_worker.fingerprint.fingerprinter import encode
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.image import FRAME_S, Sampled
from ml_worker.fingerprint.network import Encoder
from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.sung import sing, written
from ml_worker.retrieval.metrics import HitRates, hit_rates, rank_of
from ml_worker.retrieval.sequences import Query, Sequences, heard

# Tempi at which a version is compared, as slopes of the diagonal: 0.8 to 1.25 in even factors.
TEMPO_RATIOS = tuple(float(ratio) for ratio in np.geomspace(0.8, 1.25, 7))
# Seconds of a simulated hum of the validation tunes.
HUM_S = (5.0, 12.0)


Named = Sequence[tuple[str, Fingerprints]]


def rates_of(queries: Named, targets: Named) -> HitRates:
    """Ranks songs for each query by their best original. A query without a voice or whose song is no target is a miss.

    Args:
        queries: (song, fingerprints of a version).
        targets: (song, fingerprints of an original fragment or recording); a song may have several.
    """
    songs = [song for song, _ in targets]
    scores = scores_of([prints for _, prints in queries], [prints for _, prints in targets])
    return hit_rates(ranks_in(scores, [song for song, _ in queries], songs), len(set(songs)))


def scores_of(queries: Sequence[Fingerprints], targets: Sequence[Fingerprints]) -> NDArray[np.float32]:
    """How well each target fits each query at its best tempo and place, (queries, targets); -inf without a voice."""
    longest = max(len(prints) for prints in queries)
    sequences = Sequences(targets, int(longest * max(TEMPO_RATIOS)) + 1)
    rows = []
    for prints in queries:
        vectors = heard(prints)
        slopes = [np.rint(np.arange(len(vectors)) * slope).astype(np.int64) for slope in TEMPO_RATIOS]
        scores = sequences.along_all([Query(vectors, steps) for steps in slopes])[0].scores
        rows.append(scores if vectors.any() else np.full_like(scores, -np.inf))
    return np.stack(rows)


def ranks_in(scores: NDArray[np.float32], wanted: Sequence[str], songs: Sequence[str]) -> list[int | None]:
    """The rank of each query's song (Q,) by its scores (Q, targets); `songs` names the targets."""
    return [rank_of(song, songs, row) for song, row in zip(wanted, scores, strict=True)]


def evaluate_pairs(
    network: Encoder, settings: Settings, pairs: Sequence[AlignedPair], distractors: Sequence[AlignedPair] = ()
) -> HitRates:
    """Every version of the pairs is sought among all originals of the pairs and the distractors, by song."""
    network.eval()

    def fingerprints(melody: Melody) -> Fingerprints:
        return encode(network, melody, settings, "under evaluation")

    originals = {(pair.song_id, pair.fragment_id): pair.original for pair in [*distractors, *pairs]}
    targets = [(song, fingerprints(melody)) for (song, _), melody in originals.items()]
    return rates_of([(pair.song_id, fingerprints(pair.version)) for pair in pairs], targets)


def simulated_pairs(tunes: Sequence[Tune], settings: Settings, seed: int) -> list[AlignedPair]:
    """One hum of each tune by the simulated singer on curves, from any note on, with the whole tune. Synthetic."""
    rng = np.random.default_rng([seed, len(tunes)])
    return [_simulated_pair(tune, settings, rng) for tune in tunes]


def _simulated_pair(tune: Tune, settings: Settings, rng: Generator) -> AlignedPair:
    whole = written(tune.notes)
    hummed = part_from_a_note(tune.notes, rng.uniform(*HUM_S), rng)
    sung = sing(hummed, settings.singing, rng)
    ratio = float((sung.sung_s[-1] - sung.sung_s[0]) / (sung.score_s[-1] - sung.score_s[0]))
    start_s = float(hummed.starts_s[0] - tune.notes.starts_s[0])
    return AlignedPair(as_melody(whole.sampled), as_melody(sung.sampled), -start_s * ratio, ratio, tune.name, tune.name)


def as_melody(sampled: Sampled) -> Melody:
    """What was sampled every FRAME_S as a melody."""
    voiced = ~np.isnan(sampled.pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(sampled.pitch, nan=69.0) - 69) / 12), 0).astype(np.float32)
    height, attack = (np.asarray(part, dtype=np.float32) for part in (sampled.height, sampled.attack))
    return Melody(FRAME_S, f0_hz, voiced, height, "simulated", attack)
