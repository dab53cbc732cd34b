"""The index: all songs of a catalogue as codes in files, searched by hums in two stages. Free of Django.

1. `first_stage`: the hum's fingerprints vote for places by their nearest neighbours (an inverted file of product
   codes, faiss), and the places with most votes are looked at in order; a small catalogue is spared this, and all its
   songs go on;
2. `second_stage`: the candidates' fingerprints are laid under the hum's along their diagonals, at every tempo, short
   and long fused: what is in order counts;
3. the best are weighed together with linear scaling and warping on the pitch lines (`retrieval/recogniser.py`), and
   `open_set` tells whether the tune is there at all.

On disk (`folder`): a manifest, which names everything and is replaced at once; the codecs; and segments, each some
songs with their codes, their pitch lines and an inverted file. A segment is never changed: songs come with a new one.
"""

from ml_worker.retrieval.index.building import Entry, build, forget, grow
from ml_worker.retrieval.index.calibration import calibrate
from ml_worker.retrieval.index.layout import IndexUnusable
from ml_worker.retrieval.index.searcher import Answer, Found, Searcher

__all__ = [
    "Answer",
    "Entry",
    "Found",
    "IndexUnusable",
    "Searcher",
    "build",
    "calibrate",
    "forget",
    "grow",
]
