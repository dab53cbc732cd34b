"""Sounds and files for the tests of ml_worker/audio, made on the spot by libav's own encoders."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import av
import numpy as np

from ml_worker.audio.sound import Sound


def tone(seconds: float = 4.0, rate: int = 44_100, hz: float = 220.0, channels: int = 1, level: float = 0.3) -> Sound:
    """A voice-like tone: six harmonics; the channels differ in level, so that swapping them would be seen."""
    times = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hz * k * times) / k for k in range(1, 7) if hz * k < rate / 2)
    levels = level / 2 * (1 + np.arange(channels) / channels)
    return Sound((levels[:, None] * wave).astype(np.float32), rate)


def glide(seconds: float = 6.0, rate: int = 44_100) -> Sound:
    """A tone that rises an octave, so that every place in it is unlike every other."""
    times = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (times / seconds)) / rate
    return Sound.from_mono(0.3 * np.sin(phase) + 0.1 * np.sin(2 * phase), rate)


LAYOUTS = {1: "mono", 2: "stereo", 7: "6.1"}


def encoded(sound: Sound, container: str, codec: str, options: dict[str, str] | None = None) -> bytes:
    """The sound as a file in memory. (It is written to disk first: "faststart" reads what it wrote.)"""
    with tempfile.NamedTemporaryFile() as file:
        _write(Path(file.name), sound, container, codec, options or {})
        return file.read()


def _write(path: Path, sound: Sound, container: str, codec: str, options: dict[str, str]) -> None:
    with av.open(str(path), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=sound.sample_rate, layout=LAYOUTS[len(sound.samples)])
        resampler = av.AudioResampler(stream.codec_context.format, stream.layout, stream.rate)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.samples), format="fltp", layout=LAYOUTS[len(sound.samples)]
        )
        frame.sample_rate = sound.sample_rate
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(block))
        output.mux(stream.encode(None))


def video(sound: Sound | None, seconds: float = 3.0) -> bytes:
    """A small film, with the sound or silent."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        pictures = output.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        speech = None if sound is None else output.add_stream("aac", rate=sound.sample_rate, layout="mono")
        for number in range(round(seconds * 10)):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 5 % 256, np.uint8), format="rgb24")
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
        if speech is not None:
            frame = av.AudioFrame.from_ndarray(sound.samples, format="fltp", layout="mono")
            frame.sample_rate = sound.sample_rate
            output.mux(speech.encode(frame))
            output.mux(speech.encode(None))
    return file.getvalue()
