"""The benchmark `capture`: what the page scripts measure of loudspeaker and microphone, in real Chromium.

Loops, rooms, noises and hums are synthetic (annotation/tests/sound_scenes.py), with a known truth; the scripts are run
as the tests run them (annotation/tests/front_end.py). Baselines stand beside ours in the same recordings:

- correlation: the highest magnitude of the plain cross-correlation with the whole probe, no envelope, no first arrival;
- click: the highest sample of a single click as high as the probe's peak, in the same room and noise;
- the browser's own figure: outputLatency + baseLatency, over a loop through a MediaStream.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from playwright.sync_api import Playwright, sync_playwright
from scipy.signal import correlate

from annotation.tests import sound_scenes as scenes
from annotation.tests.front_end import NO_CLICK_NEEDED, Modules, StaticFiles, packed, unpacked
from annotation.tests.studio_scripts import CLICKS, LOOP, MEASURE, PROBE, RATE_OF_MICROPHONE, RECORD, snr_db
from chad_site.commands import BadInput
from chad_site.tests.browser import CHROMIUM, arguments

SNRS_DB = (20, 10, 0, -10, -20)
ROOMS_S: tuple[float | None, ...] = (None, 0.3, 0.8)
"""Decay of a room by 60 dB, seconds; None is a plain delay."""
SEEDS = 30
"""Recordings of each kind; noise, sample rate and polarity go round with them."""
NOISES: tuple[scenes.Noise, ...] = ("white", "room", "voice")
RATES = (44_100, 48_000, 16_000)
LATENCIES_S = (0.0, 0.4)
LEAK_DB = -25.0
RIGHT_S = 0.001
"""An error up to this is right."""
LOOKED_FOR_S = 0.5
SILENT_KINDS = ("white", "room", "voice", "knocks")
SILENT_EACH = 250
SILENT_DB = (-60.0, -15.0)
LEAKS_DB = (-10, -20, -30, -40, -50, -60)
LEAK_SEEDS = 10
QUIET_ROOM_DB = -72.0
DISTURBANCES = ("hum", "knocks", "burst")
DISTURBED_EACH = 300
HEADPHONES_BELOW_DB = -40.0
LEVEL_TOLERANCE_DB = 1.5
LOOPS = [(frames, kind, rate) for kind, rate in (("node", 44_100), ("stream", 48_000)) for frames in (0, 163, 4410)]

Floats = NDArray[np.float64]


def row(what: str, condition: str, method: str, **figures: Any) -> dict[str, Any]:
    """A row of the table; what was not measured stays empty."""
    names = ("recordings", "found", "within_1_ms", "median_ms", "worst_ms", "figure", "unit")
    return {"what": what, "condition": condition, "method": method, **{name: figures.get(name) for name in names}}


# --- the browser


def chromium() -> str:
    path = os.environ.get("CHAD_CHROMIUM") or CHROMIUM
    if shutil.which(path) is None:
        raise BadInput(f"There is no Chromium at {path}: apt-get install chromium, or set CHAD_CHROMIUM.")
    return path


@contextmanager
def served() -> Iterator[str]:
    """The address of the page scripts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), StaticFiles) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def opened(driver: Playwright, home: str, wav: Path | None = None) -> Iterator[Modules]:
    """The page scripts in a browser whose microphone plays `wav`."""
    browser = driver.chromium.launch(executable_path=chromium(), args=[*arguments(wav, loop=False), NO_CLICK_NEEDED])
    try:
        yield Modules(browser.new_context(permissions=["microphone"]).new_page(), home)
    finally:
        browser.close()


class Lab:
    """Measures in the browser; the probe of each rate is fetched once."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self.probes: dict[int, Floats] = {}

    def probe(self, rate: int) -> Floats:
        if rate not in self.probes:
            self.probes[rate] = unpacked(self.modules.run("sound-check.js", PROBE, rate)["samples"])
        return self.probes[rate]

    def measure(self, heard: Floats, rate: int, to_s: float = LOOKED_FOR_S) -> dict[str, Any]:
        return self.modules.run("sound-check.js", MEASURE, packed(heard), rate, {"to_s": to_s}, False)


# --- latency


@dataclass
class Errors:
    """Errors of one method, seconds; None where it found nothing."""

    all: list[float | None] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        errors = np.array([error for error in self.all if error is not None])
        return {
            "recordings": len(self.all),
            "found": len(errors) / len(self.all),
            "within_1_ms": float(np.sum(errors < RIGHT_S) / len(self.all)),
            "median_ms": 1000 * float(np.median(errors)) if len(errors) else None,
            "worst_ms": 1000 * float(errors.max()) if len(errors) else None,
        }


@dataclass(frozen=True)
class Scene:
    """One synthetic loop."""

    seed: int
    snr_db: float
    room_s: float | None

    @property
    def rate(self) -> int:
        return RATES[self.seed % len(RATES)]

    @property
    def latency_s(self) -> float:
        return float(np.random.default_rng(self.seed).uniform(*LATENCIES_S))

    def heard(self, played: Floats, probe: Floats) -> Floats:
        """What the microphone hears of a sound, the noise set by the probe's level in the same room."""
        length = len(probe) + int((LOOKED_FOR_S + 0.3) * self.rate)
        sound, of_probe = (self.looped(samples, length) for samples in (played, probe))
        begin = int(self.latency_s * self.rate)
        kind = NOISES[self.seed // len(RATES) % len(NOISES)]
        sounding = of_probe[begin : begin + len(probe)]
        return scenes.at_snr(np.random.default_rng(self.seed + 1), sound, sounding, kind, self.snr_db, self.rate)

    def looped(self, played: Floats, length: int) -> Floats:
        rng = np.random.default_rng(self.seed + 2)
        gain = 10 ** (LEAK_DB / 20) * rng.choice([-1, 1])
        made = scenes.through_loudspeaker(scenes.delayed(played, self.latency_s * self.rate, length), self.rate)
        if self.room_s is not None:
            impulse = scenes.room_impulse(rng, self.rate, self.room_s, strongest=rng.uniform(0.5, 1.5))
            made = scenes.in_room(made, impulse)[:length]
        return gain * made


def by_correlation(heard: Floats, probe: Floats, rate: int) -> float:
    """Latency by the highest magnitude of the cross-correlation."""
    scores = np.abs(correlate(heard, probe, "valid"))[: int(LOOKED_FOR_S * rate)]
    return float(np.argmax(scores)) / rate


def by_click(heard: Floats, rate: int) -> float:
    return float(np.argmax(np.abs(heard[: int(LOOKED_FOR_S * rate)]))) / rate


def latency_rows(lab: Lab) -> Iterator[dict[str, Any]]:
    for snr, room_s in product(SNRS_DB, ROOMS_S):
        errors = {name: Errors() for name in ("ours", "baseline: correlation", "baseline: click")}
        for seed in range(SEEDS):
            scene = Scene(seed, snr, room_s)
            for name, latency_s in latencies(lab, scene).items():
                errors[name].all.append(None if latency_s is None else abs(latency_s - scene.latency_s))
        condition = f"{snr:+d} dB, {'no room' if room_s is None else f'room {room_s} s'}"
        for name, found in errors.items():
            yield row("latency (synthetic)", condition, name, **found.figures())


def latencies(lab: Lab, scene: Scene) -> dict[str, float | None]:
    probe, rate = lab.probe(scene.rate), scene.rate
    heard = scene.heard(probe, probe)
    click = np.zeros(1)
    click[0] = np.abs(probe).max()
    return {
        "ours": lab.measure(heard, rate)["latency_s"],
        "baseline: correlation": by_correlation(heard, probe, rate),
        "baseline: click": by_click(scene.heard(click, probe), rate),
    }


# --- nothing to find


def silent(kind: str, seed: int, rate: int, length: int) -> Floats:
    rng = np.random.default_rng(seed)
    if kind == "knocks":
        return scenes.knocks(rng, length, rate)
    return 10 ** (rng.uniform(*SILENT_DB) / 20) * scenes.noise(rng, kind, length, rate)


def false_rows(lab: Lab) -> Iterator[dict[str, Any]]:
    rate = RATES[0]
    length = len(lab.probe(rate)) + int(0.8 * rate)
    for kind in SILENT_KINDS:
        results = [lab.measure(silent(kind, seed, rate, length), rate, 0.8) for seed in range(SILENT_EACH)]
        false = sum(result["found"] for result in results)
        unsure = sum(result["kind"] == "unsure" for result in results) / len(results)
        counted = {"recordings": len(results), "figure": 1000 * false / len(results), "unit": "false findings a 1000"}
        yield row("no loop (synthetic)", f"{kind}, {unsure:.0%} said to be unsure", "ours", **counted)


# --- the leak


def leak_rows(lab: Lab) -> Iterator[dict[str, Any]]:
    """How far the level of a plain delay is off, over the noise of a quiet room."""
    for leak_db, rate in product(LEAKS_DB, RATES[::2]):
        probe, off = lab.probe(rate), []
        for seed in range(LEAK_SEEDS):
            rng = np.random.default_rng(seed)
            heard = scenes.delayed(probe, rng.uniform(*LATENCIES_S) * rate, len(probe) + int(0.8 * rate))
            quiet = 10 ** (QUIET_ROOM_DB / 20) * scenes.noise(rng, "room", len(heard), rate)
            found = lab.measure(10 ** (leak_db / 20) * heard + quiet, rate)
            off.append(abs(found["leak_db"] - leak_db) if found["found"] else np.inf)
        figure = {"recordings": len(off), "figure": float(max(off)), "unit": "dB off, at most"}
        yield row("leak (synthetic)", f"{leak_db} dB, {rate} Hz", "ours", **figure)


def disturbed_rows(lab: Lab) -> Iterator[dict[str, Any]]:
    """A leak of -60 to -5 dB under somebody who is not silent; wrong is the other kind, or a wrong delay out loud."""
    rate = RATES[0]
    probe = lab.probe(rate)
    for kind in DISTURBANCES:
        wrong = unsure = 0
        for seed in range(DISTURBED_EACH):
            rng = np.random.default_rng(seed)
            leak_db, latency_s = rng.uniform(-60, -5), rng.uniform(*LATENCIES_S)
            heard = scenes.delayed(probe, latency_s * rate, len(probe) + int(0.8 * rate))
            heard = 10 ** (leak_db / 20) * scenes.through_loudspeaker(heard, rate) + rng.normal(0, 3e-4, len(heard))
            found = lab.measure(heard + scenes.disturbance(rng, kind, len(heard), rate), rate, 0.8)
            unsure += found["kind"] == "unsure"
            wrong += is_wrong(found, leak_db, latency_s)
        words = f"{kind}, {unsure / DISTURBED_EACH:.0%} said to be unsure"
        figure = {"recordings": DISTURBED_EACH, "figure": 1000 * wrong / DISTURBED_EACH, "unit": "wrong of 1000"}
        yield row("headphones or loudspeaker (synthetic)", words, "ours", **figure)


def is_wrong(found: dict[str, Any], leak_db: float, latency_s: float) -> bool:
    """Right about the limit, within the accuracy of the level, is either answer."""
    truth = "loudspeaker" if leak_db >= HEADPHONES_BELOW_DB else "headphones"
    other = found["kind"] not in (truth, "unsure") and abs(leak_db - HEADPHONES_BELOW_DB) > LEVEL_TOLERANCE_DB
    late = found["kind"] == "loudspeaker" and abs(found["latency_s"] - latency_s) > RIGHT_S
    return other or late


# --- one clock


def loop_rows(lab: Lab) -> Iterator[dict[str, Any]]:
    own: Errors = Errors()
    ours: Errors = Errors()
    for kind, words in (("node", "joined directly"), ("stream", "over a MediaStream")):
        made = lab.modules.run("studio.js", LOOP + CLICKS, [loop for loop in LOOPS if loop[1] == kind])
        apart = []
        for loop in made:
            due = loop["frames"] if kind == "node" else round(loop["measured"])
            apart += [abs(frame - due) for frame in loop["heard"]]
            if kind == "stream":
                true_s = loop["heard"][0] / loop["rate"]
                ours.all.append(abs(loop["measured"] / loop["rate"] - true_s))
                own.all.append(abs(loop["facts"]["output_latency_s"] + loop["facts"]["base_latency_s"] - true_s))
        figure = {"recordings": len(apart), "figure": float(max(apart)), "unit": "frames off, at most"}
        yield row("click track recorded along", words, "ours", **figure)
    yield row("latency of a MediaStream loop", "clicks are the truth", "ours", **ours.figures())
    yield row("latency of a MediaStream loop", "clicks are the truth", "baseline: the browser's own", **own.figures())


def capture_rows(driver: Playwright, home: str) -> Iterator[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        wav = Path(folder) / "voice.wav"
        soundfile.write(wav, np.zeros(1000), 44_100)
        with opened(driver, home, wav) as modules:
            rate = modules.run("studio.js", RATE_OF_MICROPHONE)
        for subtype in ("PCM_16", "FLOAT"):
            soundfile.write(wav, np.random.default_rng(5).normal(0, 0.1, 9 * rate), rate, subtype=subtype)
            with opened(driver, home, wav) as modules:
                recorded = modules.run("studio.js", RECORD, "along", rate)
            heard = unpacked(recorded["samples"])[rate : 2 * rate]
            figure = {
                "recordings": 1,
                "figure": snr_db(heard, soundfile.read(wav)[0]),
                "unit": "dB, capture over error",
            }
            yield row("fake microphone against its file", f"{subtype}, {rate} Hz", "ours", **figure)


def table() -> list[dict[str, Any]]:
    """All of it: about five minutes on two cores."""
    parts: list[Callable[[Lab], Iterator[dict[str, Any]]]] = [
        latency_rows,
        false_rows,
        leak_rows,
        disturbed_rows,
        loop_rows,
    ]
    with sync_playwright() as driver, served() as home:
        with opened(driver, home) as modules:
            lab = Lab(modules)
            rows = [made for part in parts for made in part(lab)]
        return [*rows, *capture_rows(driver, home)]
