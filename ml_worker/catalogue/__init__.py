"""The starter catalogue: tunes as notes, rendered to audio with their truth, and a simulated singer.

Free of Django; imports the standard library, scientific libraries and ml_worker.audio.
"""

from ml_worker.catalogue.abc import tunes
from ml_worker.catalogue.render import Rendering, render_cover, render_original
from ml_worker.catalogue.singer import SungTake, sing
from ml_worker.catalogue.tune import Tune
from ml_worker.catalogue.voice import TimedNote

__all__ = ["Rendering", "SungTake", "TimedNote", "Tune", "render_cover", "render_original", "sing", "tunes"]
