"""The vocal part: every method gives one channel as long as the mix and says its name; weights are never trusted."""

import json
from pathlib import Path

import librosa
import numpy as np
import pytest

from ml_worker.audio import demucs_weights
from ml_worker.audio.demucs_weights import NoWeights, fetch_weights, find_weights, load
from ml_worker.audio.separation import BLOCK_S, CONTEXT_S, MEDIANS, RATE, _harmonic_mask, in_blocks, separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import at_rate
from ml_worker.tests.made_audio import tone

WITHOUT_WEIGHTS = ("centre", "repet-sim", "mix")
SOURCES = ["drums", "bass", "other", "vocals"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A folder with a tiny HTDemucs of random weights, as Demucs publishes its own."""
    import torch
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    arguments = {"sources": SOURCES, "channels": 8, "depth": 4, "t_layers": 1, "segment": 2}
    folder = tmp_path_factory.mktemp("weights")
    model = HTDemucs(**arguments)
    save(folder / "0123abcd.safetensors", model.state_dict(), "demucs.htdemucs.HTDemucs", arguments)
    (folder / "htdemucs.yaml").write_text("models: ['0123abcd']\n")
    return folder


def save(path: Path, tensors: dict, klass: str, arguments: dict, args: tuple = (), **more: str) -> None:
    from safetensors.torch import save_file

    facts = {"klass": klass, "args": json.dumps(args), "kwargs": json.dumps(arguments), **more}
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path, metadata=facts)


class TestEveryMethod:
    @pytest.mark.parametrize("method", WITHOUT_WEIGHTS)
    @pytest.mark.parametrize("seconds", [0.01, 0.2, 5.0])
    def test_one_channel_as_long_as_the_mix(self, method, seconds):
        vocal = separate(tone(seconds, channels=2), method)
        assert vocal.method == method
        assert vocal.sound.samples.shape[0] == 1
        assert vocal.sound.duration_s == pytest.approx(seconds, abs=1e-3)

    @pytest.mark.parametrize("method", WITHOUT_WEIGHTS)
    @pytest.mark.parametrize("channels", [1, 7])
    def test_any_number_of_channels(self, method, channels):
        assert np.isfinite(separate(tone(2.0, channels=channels), method).sound.samples).all()

    @pytest.mark.parametrize("method", WITHOUT_WEIGHTS)
    def test_silence_stays_silent(self, method):
        silent = separate(Sound(np.zeros((2, 88_200), np.float32), 44_100), method).sound
        assert np.abs(silent.samples).max() < 1e-9

    def test_no_sound_at_all(self):
        assert separate(Sound(np.zeros((2, 0), np.float32), 44_100)).sound.frames == 0

    def test_the_mix_of_a_low_rate_keeps_it(self):
        assert separate(tone(1.0, 8_000), "mix").sound.sample_rate == 8_000

    def test_without_weights_auto_takes_the_centre(self, tmp_path):
        assert separate(tone(1.0, channels=2)).method == "centre"
        assert separate(tone(1.0, channels=2), weights=tmp_path).method == "centre"

    def test_an_unknown_method(self):
        with pytest.raises(ValueError, match="repet-sim"):
            separate(tone(1.0), "magic")


class TestWhatIsKept:
    def test_the_centre_keeps_the_middle_and_turns_down_sides_and_drums(self):
        """A voice in the middle, another tone at one side, clicks in the middle."""
        voice, side = tone(6.0, 22_050, 220).mono(), tone(6.0, 22_050, 311).mono()
        clicks = np.zeros_like(voice)
        clicks[::5_512] = 0.9
        mix = Sound(np.stack([voice + side + clicks, voice + clicks]), 22_050)
        kept = separate(mix, "centre").sound.mono()
        assert level_of(kept, 220) > 0.7 * level_of(mix.mono(), 220)
        assert level_of(kept, 311) < 0.5 * level_of(mix.mono(), 311)
        assert np.abs(kept).max() < 0.7 * np.abs(mix.mono()).max()

    def test_repet_sim_turns_down_what_repeats(self):
        """A background of two alternating tones, and a voice that passes once."""
        times = np.arange(14 * 22_050) / 22_050
        background = 0.2 * np.sin(2 * np.pi * np.where(times % 1 < 0.5, 330, 392) * times)
        voice = np.where((times > 8) & (times < 12), 0.2 * np.sin(2 * np.pi * 523 * times), 0)
        kept = separate(Sound.from_mono(background + voice, 22_050), "repet-sim").sound.mono()
        inside = kept[round(8.5 * 22_050) : round(11.5 * 22_050)]
        assert level_of(inside, 523) > 3 * max(level_of(inside, 330), level_of(inside, 392))


def level_of(samples: np.ndarray, hz: float) -> float:
    """Amplitude at a frequency."""
    times = np.arange(len(samples)) / 22_050
    return 2 * abs(np.mean(samples * np.exp(-2j * np.pi * hz * times)))

    @pytest.mark.parametrize("frames", [16, 31, 90])
    def test_what_lasts_is_told_from_what_strikes_as_librosa_does(self, frames):
        size = np.random.default_rng(frames).gamma(0.5, size=(200, frames)).astype(np.float32)
        size[:, frames // 2] = size[40] = 0
        expected, _ = librosa.decompose.hpss(size, kernel_size=MEDIANS, mask=True)
        np.testing.assert_array_equal(_harmonic_mask(size), expected)


class TestBlocks:
    def test_blocks_leave_no_seam(self):
        sound = Sound.from_mono(
            0.1 * np.random.default_rng(0).standard_normal(2 * round((2 * BLOCK_S + 7) * 4_000)), 8_000
        )
        joined = in_blocks(sound, lambda block: block.resampled(RATE).mono())
        assert joined.sample_rate == RATE
        assert np.abs(joined.mono() - at_rate(sound, RATE)[: joined.frames]).max() < 1e-3

    def test_a_block_is_never_long(self):
        sound = Sound(np.zeros((2, 8_000 * 400), np.float32), 8_000)
        lengths = []

        def remember(block):
            lengths.append(block.duration_s)
            return np.zeros(round(block.duration_s * RATE), np.float32)

        assert in_blocks(sound, remember).duration_s == pytest.approx(400)
        assert max(lengths) <= BLOCK_S + 2 * CONTEXT_S


class TestDemucs:
    def test_the_vocals_of_the_model_come_back(self, weights):
        """As by Demucs' own call, on a sound short enough for one block."""
        import torch
        from demucs.apply import apply_model

        sound = tone(1.5, channels=2)
        vocal = separate(sound, "demucs", weights=weights)
        assert vocal.method == "demucs htdemucs 0123abcd"
        assert vocal.sound.duration_s == pytest.approx(1.5, abs=1e-3)
        model, mono = load(find_weights(weights)), sound.mono()
        mix = torch.from_numpy((sound.samples - mono.mean()) / mono.std())[None]
        with torch.inference_mode():
            parts = apply_model(model, mix, shifts=0)
        expected = parts[0, SOURCES.index("vocals")].numpy() * mono.std() + mono.mean()
        expected = Sound(expected.astype(np.float32), 44_100).resampled(RATE).samples.mean(axis=0)
        assert np.abs(vocal.sound.mono() - expected).max() < 1e-3 * np.abs(expected).max()

    def test_auto_takes_it_where_its_weights_are(self, weights):
        assert separate(tone(1.0, 16_000), weights=weights).method.startswith("demucs")

    def test_a_single_model_file_will_do(self, weights):
        found = find_weights(weights / "0123abcd.safetensors")
        assert found is not None
        assert found.name == "0123abcd"

    def test_a_bag_that_is_not_whole_is_not_taken(self, tmp_path):
        (tmp_path / "htdemucs.yaml").write_text("models: ['0123abcd']\n")
        assert find_weights(tmp_path) is None

    def test_without_a_folder_or_weights_it_says_what_to_do(self, tmp_path):
        with pytest.raises(NoWeights, match="CHAD_DEMUCS_WEIGHTS"):
            separate(tone(1.0), "demucs")
        with pytest.raises(NoWeights, match="no Demucs weights"):
            separate(tone(1.0), "demucs", weights=tmp_path)

    def test_an_unreachable_hub_is_said(self, tmp_path, monkeypatch):
        from huggingface_hub.errors import LocalEntryNotFoundError

        def unreachable(*asked, **options):
            raise LocalEntryNotFoundError("no network")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
        with pytest.raises(NoWeights, match="could not be fetched"):
            separate(tone(1.0), "demucs", weights=tmp_path, download=True)

    def test_weights_are_fetched_once(self, weights, tmp_path, monkeypatch):
        asked = []

        def hub(repository, name, local_dir, token):
            asked.append((repository, name))
            (Path(local_dir) / name).write_bytes((weights / name).read_bytes())
            return str(Path(local_dir) / name)

        monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
        assert fetch_weights(tmp_path) == fetch_weights(tmp_path)
        assert asked == [("adefossez/HTDemucs", "htdemucs.yaml"), ("adefossez/HTDemucs", "0123abcd.safetensors")]
        assert load(find_weights(tmp_path)).sources == SOURCES


class TestHostileWeights:
    """A weights file names its class and arguments; nothing but Demucs' own classes is ever called."""

    @pytest.mark.parametrize("klass", ["subprocess.Popen", "os.system", "demucs.states.load_model", "builtins.open"])
    def test_a_foreign_class_is_not_called(self, tmp_path, klass):
        import torch

        trace = tmp_path / "trace"
        path = tmp_path / "evil.safetensors"
        save(path, {"a": torch.zeros(1)}, klass, {}, (f"touch {trace}",))
        with pytest.raises(NoWeights, match="not a Demucs model"):
            separate(tone(1.0), "demucs", weights=path)
        assert not trace.exists()

    def test_a_structure_that_imports_is_refused(self, tmp_path):
        import torch

        path = tmp_path / "evil.safetensors"
        save(path, {"a": torch.zeros(1)}, demucs_weights.CLASSES[0], {}, structure='{"_class": "os.system"}')
        with pytest.raises(NoWeights, match="not a Demucs model"):
            load(find_weights(path))

    @pytest.mark.parametrize("content", [b"", b"rubbish" * 100, b"\x80\x04\x95pickle"])
    def test_rubbish(self, tmp_path, content):
        path = tmp_path / "a.safetensors"
        path.write_bytes(content)
        with pytest.raises(NoWeights, match="not a safetensors file"):
            load(find_weights(path))

    def test_weights_that_do_not_fit(self, weights, tmp_path):
        import torch

        path = tmp_path / "a.safetensors"
        save(path, {"a": torch.zeros(1)}, demucs_weights.CLASSES[0], {"sources": SOURCES, "channels": 8})
        with pytest.raises(NoWeights, match="does not fit"):
            load(find_weights(path))

    def test_a_pickle_is_not_even_looked_at(self, tmp_path):
        (tmp_path / "htdemucs.th").write_bytes(b"\x80\x04")
        assert find_weights(tmp_path) is None

    @pytest.mark.parametrize("models", ["['../../etc/passwd']", "[]", "7", "['a/b']"])
    def test_a_bag_names_no_path(self, tmp_path, models):
        (tmp_path / "htdemucs.yaml").write_text(f"models: {models}\n")
        with pytest.raises(NoWeights):
            find_weights(tmp_path)

    @pytest.mark.parametrize("text", ["- a list", "\x00", "models", "!!python/object/apply:os.system ['true']"])
    def test_a_damaged_bag(self, tmp_path, text):
        (tmp_path / "htdemucs.yaml").write_text(text)
        with pytest.raises(NoWeights, match="does not describe"):
            find_weights(tmp_path)
