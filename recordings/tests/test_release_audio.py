"""Audio of a release is the very samples that came, whatever format they came in, and the same bytes every time."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import wavfile

from recordings.release.files.audio import encode_interval, encode_take


def wav(samples: np.ndarray, subtype: str, rate: int = 16_000) -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format="WAV")
    file.seek(0)
    return file


def decoded(data: bytes, dtype: str = "int32") -> np.ndarray:
    samples, _ = soundfile.read(io.BytesIO(data), dtype=dtype, always_2d=True)
    return samples


def whole_numbers(bits: int) -> st.SearchStrategy[np.ndarray]:
    """Samples (N, C) of `bits` bits, put into the upper bits of 32."""
    top = 2 ** (bits - 1)
    shapes = st.tuples(st.integers(1, 300), st.integers(1, 3))
    return arrays(np.int32, shapes, elements=st.integers(-top, top - 1)).map(lambda samples: samples << (32 - bits))


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24)])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whole_numbers_come_back_from_flac(subtype, bits, data):
    samples = data.draw(whole_numbers(bits))
    take = wav(samples, subtype)
    encoded = encode_take(take)
    take.seek(0)
    assert encoded.extension == "flac"
    assert np.array_equal(decoded(encoded.data), decoded(take.getvalue()))


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW"])
def test_companded_takes_come_back_from_flac(subtype):
    take = wav(np.sin(np.arange(4000) / 9).astype(np.float32), subtype)
    encoded = encode_take(take)
    assert encoded.extension == "flac"
    assert np.array_equal(decoded(encoded.data), decoded(take.getvalue()))


@settings(max_examples=25, deadline=None)
@given(whole_numbers(24))
def test_floats_that_are_24_bits_come_back_from_flac(samples):
    floats = samples / 2.0**31
    encoded = encode_take(wav(floats, "FLOAT"))
    assert encoded.extension == "flac"
    assert np.array_equal(decoded(encoded.data), samples)


@pytest.mark.parametrize(("subtype", "dtype"), [("FLOAT", "float32"), ("DOUBLE", "float64"), ("PCM_32", "float64")])
def test_what_flac_cannot_hold_stays_floating_point(subtype, dtype):
    samples = np.random.default_rng(5).uniform(-1, 1, (1000, 2)).astype(dtype)
    take = wav(samples, subtype)
    encoded = encode_take(take)
    assert encoded.extension == "wav"
    assert np.array_equal(decoded(encoded.data, "float64"), decoded(take.getvalue(), "float64"))


def test_beyond_full_scale_nothing_is_cut():
    encoded = encode_take(wav(np.array([[1.5], [-2.0], [1.0]]), "FLOAT"))
    assert decoded(encoded.data, "float64").ravel().tolist() == [1.5, -2.0, 1.0]


def test_more_channels_than_flac_has():
    samples = np.arange(900, dtype=np.int16).reshape(100, 9)
    file = io.BytesIO()
    wavfile.write(file, 16_000, samples)
    encoded = encode_take(io.BytesIO(file.getvalue()))
    assert encoded.extension == "wav"
    assert np.array_equal(decoded(encoded.data, "float64") * 2**15, samples)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_encoding_twice_gives_the_same_bytes(subtype):
    samples = np.random.default_rng(6).uniform(-1, 1, 20_000)
    assert encode_take(wav(samples, subtype)) == encode_take(wav(samples, subtype))


def test_an_interval_is_cut_to_the_frame():
    samples = np.arange(16_000, dtype=np.int16)[:, None]
    with soundfile.SoundFile(wav(samples, "PCM_16")) as source:
        later = encode_interval(source, 0.5, 0.75)
        first = encode_interval(source, 0.0, 0.25)
        last = encode_interval(source, 0.9, 2.0)
    assert decoded(later.data, "int16").ravel().tolist() == list(range(8000, 12000))
    assert decoded(first.data, "int16").ravel().tolist() == list(range(4000))
    assert decoded(last.data, "int16").ravel().tolist() == list(range(14400, 16000))
