"""Files from outside: what browsers and phones make is read whole; anything else is refused in a sentence."""

import contextlib
import http.server
import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.decode import decode, decode_with_report
from ml_worker.audio.flac import flac_ready, to_flac
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.audio.trackers import track_melody
from ml_worker.tests.made_audio import encoded, glide, tone, video
from ml_worker.tests.shared_data import shared_data

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}

# Container, encoder, options, the sound's rate.
LOSSY = {
    "Chrome's and Firefox's webm": ("webm", "libopus", None, 48_000),
    "Firefox's ogg": ("ogg", "libopus", None, 48_000),
    "mp4": ("mp4", "aac", None, 44_100),
    "Safari's fragmented mp4": ("mp4", "aac", FRAGMENTED, 48_000),
    "an iPhone's m4a": ("ipod", "aac", None, 44_100),
    "raw aac": ("adts", "aac", None, 44_100),
    "mp3": ("mp3", "libmp3lame", None, 44_100),
    "matroska": ("matroska", "libopus", None, 48_000),
}
LOSSLESS = {
    "wav 8 bit": ("wav", "pcm_u8", 8),
    "wav 16 bit": ("wav", "pcm_s16le", 16),
    "wav 24 bit": ("wav", "pcm_s24le", 24),
    "wav 32 bit float": ("wav", "pcm_f32le", 32),
    "aiff": ("aiff", "pcm_s16be", 16),
    "flac": ("flac", "flac", 16),
    "apple lossless": ("ipod", "alac", 24),
    "caf": ("caf", "pcm_s16le", 16),
}


def wav(samples: np.ndarray, rate: int = 44_100, subtype: str = "PCM_16") -> bytes:
    """Samples (C, N) as a WAV file."""
    file = io.BytesIO()
    sf.write(file, samples.T, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def sentence_of(source: bytes | Path, **limits: float) -> str:
    with pytest.raises(UnusableAudio) as refused:
        decode(source, **limits)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    return sentence


class TestWhatIsRead:
    @pytest.mark.parametrize("name", LOSSY)
    def test_lossy_files_sound_as_before_and_start_where_they_did(self, name):
        container, codec, options, rate = LOSSY[name]
        sound = glide(rate=rate)
        decoded = decode_with_report(encoded(sound, container, codec, options))
        assert decoded.warnings == ()
        assert decoded.bit_depth is None
        assert (decoded.sample_rate, decoded.channels) == (rate, 1)
        # Encoders pad less than a tenth of a second, and the start moves by less than 60 ms.
        assert decoded.sound.duration_s == pytest.approx(sound.duration_s, abs=0.1)
        assert abs(shift_s(sound.mono(), decoded.sound.mono(), rate)) < 0.06

    @pytest.mark.parametrize("name", LOSSLESS)
    def test_lossless_files_come_back_to_the_last_bit_that_they_hold(self, name):
        container, codec, bits = LOSSLESS[name]
        sound = tone(channels=2)
        decoded = decode_with_report(encoded(sound, container, codec))
        assert decoded.bit_depth == bits
        assert decoded.sound.samples.shape == sound.samples.shape
        step = 2.0 ** (1 - bits)
        assert np.abs(decoded.sound.samples - sound.samples).max() <= max(step, 1e-7)

    def test_ogg_vorbis(self):
        file = io.BytesIO()
        sf.write(file, glide().mono(), 44_100, format="OGG", subtype="VORBIS")
        assert decode(file.getvalue()).duration_s == pytest.approx(6.0, abs=0.01)

    def test_a_file_on_disk_is_read_as_its_bytes_are(self, tmp_path):
        data = wav(tone().samples)
        path = tmp_path / "a.wav"
        path.write_bytes(data)
        assert np.array_equal(decode(path).samples, decode(data).samples)

    def test_a_film_gives_its_sound(self):
        decoded = decode_with_report(video(tone(3.0)))
        assert decoded.sound.duration_s == pytest.approx(3.0, abs=0.1)

    def test_the_name_does_not_matter_but_the_content(self, tmp_path):
        path = tmp_path / "hum.wav"
        path.write_bytes(encoded(tone(), "mp4", "aac"))
        assert decode_with_report(path).format.startswith("mov")

    @pytest.mark.parametrize("rate", [8_000, 11_025, 192_000])
    def test_unusual_rates_are_kept(self, rate):
        assert decode(wav(tone(rate=rate).samples, rate)).sample_rate == rate

    @pytest.mark.parametrize("channels", [7, 12])
    def test_every_channel_is_kept_in_its_place(self, channels):
        sound = tone(channels=channels)
        found = decode(wav(sound.samples, subtype="PCM_24"))
        assert np.abs(found.samples - sound.samples).max() < 2e-7

    def test_mono_is_the_plain_mean(self):
        left_only = np.stack([tone().mono(), np.zeros(4 * 44_100, np.float32)])
        assert np.allclose(decode(wav(left_only, subtype="FLOAT")).mono(), left_only[0] / 2)

    @pytest.mark.parametrize("gain", [0.99, 0.9])
    @pytest.mark.parametrize("rate", [16_000, 44_100])
    def test_of_channels_that_cancel_the_loudest_is_heard(self, gain, rate):
        left = tone(rate=rate).mono()
        sound = decode(wav(np.stack([gain * left, -left]), rate, subtype="FLOAT"))
        assert np.array_equal(sound.samples, np.stack([gain * left, -left]).astype(np.float32))
        assert np.array_equal(sound.mono(), -left)
        alone = track_melody(Sound.from_mono(-left, rate))
        assert alone.voiced.mean() > 0.8
        assert np.array_equal(track_melody(sound).f0_hz, alone.f0_hz)

    @given(seed=st.integers(0, 1000), channels=st.integers(2, 64))
    @settings(max_examples=20, deadline=None)
    def test_channels_that_have_nothing_in_common_are_averaged(self, seed, channels):
        samples = np.random.default_rng(seed).standard_normal((channels, 4000)).astype(np.float32)
        assert np.array_equal(Sound(samples, 16_000).mono(), samples.mean(axis=0))

    @pytest.mark.parametrize("track", [0, 4])
    def test_tracks_of_a_stem_file(self, track):
        path = shared_data("separation", "music_delta_80s_rock.stem.mp4")
        assert decode_with_report(path, track=track).sound.duration_s > 6


class TestHostileFiles:
    """A playlist or session description names other files; none of them may be opened."""

    @pytest.fixture
    def server(self):
        asked = []

        class Listening(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_error(404)

            def log_message(self, *ignored):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listening)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()
        server.server_close()

    @pytest.mark.parametrize(
        "text",
        [
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{place}\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile '{place}'\n",
            "ffconcat version 1.0\nfile 'subfile,,start,0,end,99999,,:{place}'\n",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{place}\nm=audio 5004 "
            "RTP/AVP 97\na=rtpmap:97 L16/44100/1\n",
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" '
            'bandwidth="1"><BaseURL>{place}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>',
            "[playlist]\nFile1={place}\nNumberOfEntries=1\n",
        ],
        ids=["m3u8", "concat", "subfile", "sdp", "dash", "pls"],
    )
    def test_lists_of_other_files_open_nothing(self, text, server, tmp_path):
        address, asked = server
        other = tmp_path / "secret.wav"
        other.write_bytes(wav(tone().samples))
        for place in (str(other), f"file://{other}", f"{address}/secret.wav"):
            listing = tmp_path / "list.m3u8"
            listing.write_text(text.format(place=place))
            assert "not audio" in sentence_of(listing)
            assert "not audio" in sentence_of(listing.read_bytes())
        assert asked == []

    def test_a_name_that_is_an_address_is_a_file_name_only(self, server):
        address, asked = server
        assert "no file" in sentence_of(Path(f"{address}/a.mp3"))
        assert asked == []

    @pytest.mark.parametrize("name", ["pipe:0", "concat:a|b", "/dev/null"])
    def test_names_with_a_meaning_to_libav(self, name):
        assert sentence_of(Path(name))

    @settings(max_examples=60, deadline=None)
    @given(
        st.binary(min_size=0, max_size=4000), st.sampled_from([b"", b"RIFF\0\0\0\0WAVEfmt ", b"OggS", b"ID3", b"fLaC"])
    )
    def test_rubbish_is_refused_or_read_but_never_breaks(self, rubbish, head):
        sound = tone(0.1)
        with contextlib.suppress(UnusableAudio):
            sound = decode(head + rubbish)
        assert np.isfinite(sound.samples).all()

    @pytest.mark.parametrize(
        "data",
        [b"Dear Sir or Madam,\n" * 200, b"\x89PNG\r\n\x1a\n" + bytes(2000), b"PK\x03\x04" + bytes(500), bytes(50_000)],
        ids=["letter", "picture", "archive", "zeros"],
    )
    def test_other_files_are_not_audio(self, data):
        assert sentence_of(data).startswith("This is not audio that we can read.")

    def test_a_large_random_file_is_not_audio(self):
        for seed in range(5):
            assert "not audio" in sentence_of(np.random.default_rng(seed).bytes(200_000))


class TestLimits:
    def test_empty(self):
        assert "empty" in sentence_of(b"")

    def test_a_file_that_is_not_there(self, tmp_path):
        assert "no file gone.wav" in sentence_of(tmp_path / "gone.wav")

    def test_a_folder(self, tmp_path):
        assert "cannot be opened" in sentence_of(tmp_path)

    def test_no_frames(self):
        assert "no sound" in sentence_of(wav(np.zeros((1, 0), np.float32)))

    def test_a_film_without_sound(self):
        assert "no sound in this file" in sentence_of(video(None))

    def test_too_many_bytes(self):
        assert "larger than" in sentence_of(wav(tone().samples), max_bytes=1000)

    def test_just_at_and_just_over_the_longest(self):
        data = wav(tone(10.0).samples)
        assert decode(data, max_s=10).duration_s == 10
        assert "longer than 9 seconds" in sentence_of(data, max_s=9)

    def test_a_rate_that_no_microphone_has(self):
        assert "1000 samples a second" in sentence_of(wav(tone(rate=1000).samples, 1000))

    def test_more_channels_than_any_recording(self):
        assert "channels" in sentence_of(wav(np.zeros((80, 20_000), np.float32)))

    def test_three_hours_are_refused_in_bounded_memory(self, tmp_path):
        """One hour at 4 kHz is 58 MB as float32, three are 173 MB; decoding itself may take 60 MB."""
        path = tmp_path / "long.flac"
        with sf.SoundFile(path, "w", 4_000, 1, format="FLAC") as file:
            for _ in range(180):
                file.write(np.zeros(60 * 4_000, np.int16))
        program = (
            "import resource, sys; from pathlib import Path\n"
            "from ml_worker.audio.decode import decode; from ml_worker.audio.sound import UnusableAudio\n"
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "before = peak()\n"
            "try: decode(Path(sys.argv[1]))\n"
            "except UnusableAudio as refused: print(refused)\n"
            "print(peak() - before)"
        )
        root = Path(__file__).resolve().parents[2]
        ran = subprocess.run(
            [sys.executable, "-c", program, str(path)],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        sentence, grown_kb = ran.stdout.splitlines()
        assert sentence.startswith("The recording is longer than one hour.")
        assert int(grown_kb) < (58 + 60) * 1024


class TestDamagedFiles:
    @pytest.mark.parametrize(
        ("container", "codec", "options"),
        [
            ("wav", "pcm_s16le", None),
            ("flac", "flac", None),
            ("mp3", "libmp3lame", None),
            ("mp4", "aac", {"movflags": "faststart"}),
            ("aiff", "pcm_s16be", None),
        ],
        ids=["wav", "flac", "mp3", "mp4", "aiff"],
    )
    def test_what_is_there_of_a_cut_off_file_is_kept_and_said(self, container, codec, options):
        data = encoded(noisy(10.0), container, codec, options)
        decoded = decode_with_report(data[: len(data) * 6 // 10])
        assert 4 < decoded.sound.duration_s < 8
        assert "What is there was kept." in decoded.warnings[0]

    @pytest.mark.parametrize("container", ["webm", "ogg"])
    def test_a_browser_recording_may_end_anywhere(self, container):
        """A browser writes no length, so nothing is promised and nothing is to be said."""
        data = encoded(noisy(10.0, 48_000), container, "libopus")
        assert 4 < decode(data[: len(data) * 6 // 10]).duration_s < 8

    def test_too_little_of_a_cut_off_file(self):
        data = encoded(noisy(10.0), "wav", "pcm_s16le")
        assert "breaks off almost at once" in sentence_of(data[: len(data) // 10])

    def test_an_mp4_that_was_never_finished(self):
        data = encoded(noisy(10.0), "mp4", "aac")
        assert "damaged or cut off" in sentence_of(data[: len(data) // 2])

    @pytest.mark.parametrize(
        ("container", "codec"),
        [("flac", "flac"), ("ogg", "libopus")],
        ids=["flac", "ogg"],
    )
    def test_what_comes_after_a_hole_stays_in_its_place(self, container, codec):
        sound = glide(10.0, 48_000)
        data = bytearray(encoded(sound, container, codec))
        middle = len(data) // 2
        data[middle : middle + 3000] = bytes(3000)
        decoded = decode_with_report(bytes(data))
        end = round(9.5 * 48_000)
        after = decoded.sound.mono()[end - 48_000 : end]
        assert abs(shift_s(sound.mono()[end - 48_000 : end], after, 48_000)) < 0.06
        assert decoded.warnings

    @pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
    def test_a_few_samples_that_are_not_numbers_become_silence(self, subtype):
        samples = tone().samples.copy()
        samples[0, [100, 5000]] = np.nan, np.inf
        decoded = decode_with_report(wav(samples, subtype=subtype))
        assert np.isfinite(decoded.sound.samples).all()
        assert decoded.sound.samples[0, 100] == 0
        assert "2 samples were not numbers" in decoded.warnings[0]

    def test_many_samples_that_are_not_numbers(self):
        samples = tone().samples.copy()
        samples[0, ::3] = np.nan
        assert "not numbers" in sentence_of(wav(samples, subtype="FLOAT"))

    def test_numbers_that_are_no_sound(self):
        assert "far above full scale" in sentence_of(wav(tone().samples * 1e6, subtype="FLOAT"))


class TestWorkingCopy:
    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.sampled_from([8_000, 44_100, 96_000, 192_000]))
    def test_24_bits_come_back_bit_for_bit(self, seed, channels, rate):
        steps = np.random.default_rng(seed).integers(-(2**23), 2**23, (channels, 500))
        sound = Sound((steps / 2**23).astype(np.float32), rate)
        back = decode_with_report(to_flac(sound))
        assert np.array_equal(back.sound.samples, sound.samples)
        assert (back.sample_rate, back.bit_depth) == (rate, 24)

    def test_more_channels_than_flac_has_are_averaged(self):
        sound = tone(channels=9)
        assert np.allclose(decode(to_flac(sound)).samples, sound.mono()[None], atol=1e-6)

    @pytest.mark.parametrize("rate", [100_001, 700_000])
    def test_rates_that_flac_does_not_have(self, rate):
        assert decode(to_flac(tone(1.0, rate))).sample_rate == 192_000

    def test_a_float_sound_over_full_scale_is_turned_down_not_clipped(self):
        sound = tone(level=8.0)
        back = decode(to_flac(sound))
        peak = np.abs(sound.samples).max()
        assert np.allclose(back.samples, sound.samples / peak, atol=1e-6)

    def test_a_sound_that_fits_is_left_alone(self):
        sound = tone()
        assert flac_ready(sound) is sound


def noisy(seconds: float, rate: int = 44_100) -> Sound:
    """A sound that no encoder makes small, so that a share of the file is that share of the sound."""
    return Sound.from_mono(0.2 * np.random.default_rng(0).standard_normal(round(seconds * rate)), rate)


def shift_s(before: np.ndarray, after: np.ndarray, rate: int) -> float:
    """How much later the same sound begins in `after`, by the highest cross-correlation."""
    size = 2 ** int(np.ceil(np.log2(len(before) + len(after))))
    spectrum = np.conj(np.fft.rfft(before, size)) * np.fft.rfft(after, size)
    lag = int(np.argmax(np.fft.irfft(spectrum, size)))
    return (lag if lag < size // 2 else lag - size) / rate


class TestMaxRate:
    """A lower rate is made as the file is read: the same sound, in less memory."""

    @pytest.mark.parametrize("channels", [1, 2])
    def test_it_is_resampling_after_reading(self, channels):
        noise = 0.1 * np.random.default_rng(0).standard_normal((channels, 3 * 48_000))
        file = wav(noise, 48_000)
        low, whole = decode(file, max_rate=32_000), decode(file)
        assert low.sample_rate == 32_000
        assert low.samples.shape == (channels, 3 * 32_000)
        assert np.abs(low.samples - whole.resampled(32_000).samples).max() < 1e-3

    def test_a_rate_below_it_stays(self):
        sound = tone(1.0, 16_000)
        low = decode(wav(sound.samples, 16_000), max_rate=32_000)
        assert low.sample_rate == 16_000
        assert low.frames == sound.frames

    def test_too_long_is_too_long_at_any_rate(self):
        file = wav(tone(3.0).samples)
        with pytest.raises(UnusableAudio, match="longer than 2"):
            decode(file, max_s=2.0, max_rate=8_000)
