"""Writes a tune's original, covers and hums as WAV files, for listening.

python -m ml_worker.catalogue TUNE OUT_DIR        without arguments: lists the tunes
"""

from __future__ import annotations

import sys
from pathlib import Path

import soundfile

from ml_worker.audio.sound import Sound
from ml_worker.catalogue import Tune, render_cover, render_original, sing, tunes

COVERS = (1, 2)
USAGE_ERROR = 2


def main(arguments: list[str]) -> int:
    """0 where all was written, 2 where the arguments are not understood."""
    known = {tune.slug: tune for tune in tunes()}
    if not arguments:
        for tune in known.values():
            print(f"{tune.slug:26}{tune.title} ({tune.composer}, {tune.year})")
        return 0
    if len(arguments) != 2 or arguments[0] not in known:
        print("Give a tune and a folder; without arguments the tunes are listed.", file=sys.stderr)
        return USAGE_ERROR
    write_all(known[arguments[0]], Path(arguments[1]))
    return 0


def write_all(tune: Tune, folder: Path) -> None:
    """original.wav, cover-1.wav, cover-2.wav, each with its lead, and two hums of the first phrase."""
    folder.mkdir(parents=True, exist_ok=True)
    original = render_original(tune)
    versions = {"original": original} | {f"cover-{n}": render_cover(tune, n, seed=n) for n in COVERS}
    for name, rendering in versions.items():
        _write(folder / f"{name}.wav", rendering.mix)
        _write(folder / f"{name}-lead.wav", rendering.lead)
        print(f"{name}: {rendering.description}, {rendering.mix.duration_s:.0f} s, phrases {rendering.phrase_order}")
    for style in ("along", "free"):
        take = sing(original.phrase_notes(0), seed=1, style=style)
        _write(folder / f"hum-{style}.wav", take.sound)
        print(f"hum {style}: from {take.offset_s:.2f} s, tempo {take.tempo_ratio:.2f}, {take.transposition:+.1f} st")


def _write(path: Path, sound: Sound) -> None:
    soundfile.write(path, sound.samples.T, sound.sample_rate)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
