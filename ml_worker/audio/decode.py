"""Audio files into samples: whatever browsers, phones and people send, and nothing else.

A file from outside is hostile until it is decoded. So libav sees bytes only, through a Python file object: it gets no
path, no protocol that it may open, no playlist format, and only audio decoders. How much is decoded is bounded by
seconds and by samples, whatever the file says of itself.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from ml_worker.audio.sound import Samples, Sound, UnusableAudio, gettext_noop

# Containers that browsers, phones, recorders and yt-dlp make. No playlist, no stream description, no image sequence:
# those open further files. (libav's demuxer names.)
FORMATS = "wav,w64,aiff,au,flac,mp3,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,caf,amr,asf,avi"

# Decoders that may run: audio only, so that a film's pictures are never touched. (libav's decoder names.)
CODECS = (
    "aac,aac_latm,ac3,eac3,alac,amrnb,amrwb,flac,mp2,mp2float,mp3,mp3float,opus,libopus,vorbis,"
    "wmav1,wmav2,wmapro,wmalossless,adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,pcm_alaw,pcm_mulaw,"
    "pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,"
    "pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be"
)

# No protocol has this name, so libav can open nothing by itself.
NO_PROTOCOL = "none"

# Longest recording that is decoded unless the caller says otherwise; seconds.
MAX_S = 3600.0

# Largest file that is opened: more than two hours of 16-bit stereo at 96 kHz, or a long video; bytes.
MAX_BYTES = 3 * 2**30

# Most samples (frames times channels) kept: an hour of stereo at 48 kHz, 1.5 GB as float32; a count.
MAX_SAMPLES = 380_000_000

# Encoders pad the end: a recording may be this much over the limit; seconds.
PADDING_S = 0.2

# Sampling rates that occur. Below, a voice does not fit; above, no microphone delivers; Hz.
MIN_RATE, MAX_RATE = 4_000, 768_000

# Most channels of a recording; third-order ambisonics has 16; a count.
MAX_CHANNELS = 64

# A file that breaks off or is damaged is kept when at least this much of it is there; seconds.
MIN_KEPT_S = 2.0

# A file that ends this much before the end that its header promises has been cut off; seconds.
CUT_OFF_S = 0.5

# Damaged packets after which reading stops, so that a hostile file costs little; a count.
MAX_DAMAGED = 500

# Sound that is lost between two frames, by the file's own clock, is replaced by silence from this length on, so that
# what follows stays in its place. Jumps beyond the second are a clock that was set, not lost sound; seconds.
LOST_FROM_S, LOST_TO_S = 0.02, 30.0

# Float samples beyond this are no sound: 24 dB over full scale is above any mix; full scale is 1.
MAX_PEAK = 16.0

# Share of samples that may be NaN or infinite and are then set to silence; more, and the file is refused; 0..1.
MAX_NOT_NUMBERS = 0.01

# A result smaller than this is copied out of the reserved buffer, so that little memory stays reserved; bytes.
COPIED_BELOW = 64 * 2**20

# Headers that say truly how long the recording is (others are estimated from the bit rate); libav's names.
TRUE_HEADERS = ("flac", "aiff", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")

# Full scale of libav's sample formats; floats have 1.
FULL_SCALE = {"s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}

# What singers meet, too.
NOT_AUDIO = gettext_noop(
    "This is not audio that we can read. Please send a sound file such as WAV, MP3, M4A, FLAC, OGG or WebM, "
    "or record again."
)
DAMAGED = gettext_noop(
    "This file begins like a sound file, but it is damaged or cut off. Please send it again, or record again."
)
EMPTY = gettext_noop("The file is empty. Please choose it again, or record again.")
NO_SOUND = gettext_noop("There is no sound in this file. Please choose one with sound.")
UNREADABLE = gettext_noop("The sound in this file is stored in a way we cannot read. Please save it as WAV or MP3.")
BREAKS_OFF = gettext_noop("The file breaks off almost at once. Please send it again, or record again.")
TOO_LOUD = gettext_noop(
    "The samples of this file are far above full scale, so they are no sound that we can use. "
    "Please export it again as 16- or 24-bit WAV."
)
NOT_NUMBERS = gettext_noop(
    "Many samples of this file are not numbers (NaN or infinite). Please export it again as 16- or 24-bit WAV."
)


@dataclass(frozen=True)
class Decoded:
    """What a file held.

    Attributes:
        sound: its samples, channels and rate as they are in the file (the rate unless a lower one was asked for).
        format: the container as libav names it ("wav", "matroska,webm").
        codec: the decoder ("pcm_s16le", "opus").
        bit_depth: bits a sample of a lossless codec; None where the codec is lossy.
        warnings: sentences about what was missing or mended; empty for a sound file.
        is_cut: there is more in the file than was asked for.
    """

    sound: Sound
    format: str
    codec: str
    bit_depth: int | None
    warnings: tuple[str, ...] = ()
    is_cut: bool = False

    @property
    def sample_rate(self) -> int:
        return self.sound.sample_rate

    @property
    def channels(self) -> int:
        return self.sound.samples.shape[0]


def decode(
    source: bytes | Path, *, max_s: float = MAX_S, max_bytes: int = MAX_BYTES, max_rate: int | None = None
) -> Sound:
    """The sound of a file: float32 (C, N), channels and rate as they are in the file.

    Args:
        source: the file's bytes, or where it lies.
        max_s: longest recording that is taken, seconds.
        max_bytes: largest file that is opened.
        max_rate: a higher rate is brought down to this one as the file is read, so that less memory is needed; Hz.

    Raises:
        UnusableAudio: with a sentence that says what is wrong and what to do.
    """
    return decode_with_report(source, max_s=max_s, max_bytes=max_bytes, max_rate=max_rate).sound


def decode_with_report(
    source: bytes | Path,
    *,
    max_s: float = MAX_S,
    max_bytes: int = MAX_BYTES,
    track: int = 0,
    max_rate: int | None = None,
    only_first: bool = False,
) -> Decoded:
    """As decode, with what the file was and what had to be mended.

    Args:
        track: which of several audio tracks.
        only_first: of a longer recording the first `max_s` are taken; what comes after them is not looked at.
    """
    with _opened(source, max_bytes) as file, _container(file) as container:
        stream = _audio_stream(container, track)
        reading = _Reading(max_s, max_rate, only_first)
        reading.read(container, stream)
        promised_s = None if reading.is_cut else _promised_s(file, container, stream)
        return Decoded(
            sound=reading.sound(promised_s),
            format=container.format.name,
            codec=stream.codec_context.name,
            bit_depth=_bit_depth(stream.codec_context.name, stream.codec_context.extradata),
            warnings=tuple(reading.warnings(promised_s)),
            is_cut=reading.is_cut,
        )


# ---------------------------------------------------------------------------------------------------------- opening


@contextmanager
def _opened(source: bytes | Path, max_bytes: int) -> Iterator[BinaryIO]:
    """The source as a file object that is not empty and not too large."""
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
    except FileNotFoundError as error:
        raise UnusableAudio(f"There is no file {Path(source).name}. Please check its name.") from error
    except OSError as error:
        raise UnusableAudio(f"The file {Path(source).name} cannot be opened: {error.strerror}.") from error
    with file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if size == 0:
            raise UnusableAudio(EMPTY)
        if size > max_bytes:
            raise UnusableAudio(
                f"The file is larger than {max_bytes / 2**20:.0f} MB. Please send a shorter part, or save it as MP3."
            )
        yield file


@contextmanager
def _container(file: BinaryIO) -> Iterator[InputContainer]:
    """The file as libav's container, with nothing allowed but reading these bytes."""
    options = {"format_whitelist": FORMATS, "codec_whitelist": CODECS, "protocol_whitelist": NO_PROTOCOL}
    try:
        container = av.open(file, mode="r", options=options, metadata_errors="replace")
    except (FFmpegError, UnicodeError) as error:
        raise UnusableAudio(DAMAGED if _begins_like_audio(file) else NOT_AUDIO) from error
    with container:
        yield container


def _begins_like_audio(file: BinaryIO) -> bool:
    file.seek(0)
    head = file.read(12)
    return head.startswith((b"RIFF", b"OggS", b"fLaC", b"FORM", b"\x1aE\xdf\xa3", b"ID3")) or head[4:8] == b"ftyp"


def _audio_stream(container: InputContainer, track: int) -> AudioStream:
    streams = container.streams.audio
    if not streams:
        raise UnusableAudio(NO_SOUND)
    if track >= len(streams):
        raise UnusableAudio(f"The file has {len(streams)} audio tracks, so there is no track {track}.")
    stream = streams[track]
    if stream.codec_context is None or stream.codec_context.name not in CODECS.split(","):
        raise UnusableAudio(UNREADABLE)
    return stream


# ---------------------------------------------------------------------------------------------------------- reading


class _Reading:
    """The samples of one stream as they come in, and what went wrong on the way.

    All frames go into one buffer that is reserved for the longest recording allowed. The system commits its pages only
    as they are written, so memory follows what is really there, and nothing is copied at the end.
    """

    def __init__(self, max_s: float, max_rate: int | None, only_first: bool = False) -> None:
        self.max_s = max_s
        self.max_rate = max_rate
        self.only_first = only_first
        self.is_cut = False
        # Of the file; what is kept may have a lower rate.
        self.sample_rate = 0
        self.frames = 0
        self.kept_rate = 0
        self.kept = 0
        self.packets = 0
        self.damaged = 0
        self.not_numbers = 0
        self.lost_s = 0.0
        self._clock_s: float | None = None
        self.broke_off = False
        self.changed = False
        self._buffer: Samples = np.empty((0, 0), dtype=np.float32)
        self._resampler: soxr.ResampleStream | None = None

    def read(self, container: InputContainer, stream: AudioStream) -> None:
        for frame in self._decoded(container, stream):
            if self.sample_rate == 0:
                self._begin(frame)
            if (frame.sample_rate, frame.layout.nb_channels) != (self.sample_rate, len(self._buffer)):
                self.changed = True
                break
            self._take(self._silence_for_lost(frame))
            self._take(_as_float(frame))
            if self.is_cut:
                break
        if self._resampler is not None:
            self._keep(np.zeros((len(self._buffer), 0), dtype=np.float32), last=True)

    def _decoded(self, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
        """Frame by frame. A damaged packet is passed over and counted."""
        packets = container.demux(stream)
        while self.damaged < MAX_DAMAGED:
            try:
                packet = next(packets, None)
            except FFmpegError:
                self.broke_off = True
                return
            if packet is None:
                return
            self.packets += 1
            try:
                frames = packet.decode()
            except FFmpegError:
                self.damaged += 1
                continue
            yield from frames

    def _begin(self, frame: AudioFrame) -> None:
        """Reserve the buffer. The first frame knows the rate better than the header (HE-AAC doubles it)."""
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if not MIN_RATE <= rate <= MAX_RATE:
            raise UnusableAudio(
                f"The recording has {rate} samples a second; we can use {MIN_RATE} to {MAX_RATE}. "
                "Please save it with 44100 or 48000."
            )
        if not 1 <= channels <= MAX_CHANNELS:
            raise UnusableAudio(f"The recording has {channels} channels. Please save it as mono or stereo.")
        self.sample_rate = rate
        self.kept_rate = rate if self.max_rate is None else min(rate, self.max_rate)
        if self.kept_rate < rate:
            self._resampler = soxr.ResampleStream(rate, self.kept_rate, channels, dtype="float32")
        capacity = min(round((self.max_s + PADDING_S) * self.kept_rate), MAX_SAMPLES // channels)
        self._buffer = np.empty((channels, capacity), dtype=np.float32)

    def _silence_for_lost(self, frame: AudioFrame) -> Samples:
        """Silence (C, n) for what the file's clock says is missing before this frame; mostly none."""
        lost = 0
        if frame.time is not None:
            now_s = self.frames / self.sample_rate
            behind_s = 0.0 if self._clock_s is None else frame.time - self._clock_s - now_s
            if LOST_FROM_S <= behind_s <= LOST_TO_S:
                lost = round(behind_s * self.sample_rate)
                self.lost_s += behind_s
            if self._clock_s is None or behind_s > LOST_TO_S:
                self._clock_s = frame.time - now_s
        return np.zeros((len(self._buffer), lost), dtype=np.float32)

    def _take(self, block: Samples) -> None:
        self._keep(self._mended(block))
        self.frames += block.shape[1]

    def _keep(self, block: Samples, last: bool = False) -> None:
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(block.T), last=last).T
        if self.only_first and self.kept + block.shape[1] > self._buffer.shape[1]:
            self.is_cut = True
            block = block[:, : self._buffer.shape[1] - self.kept]
        end = self.kept + block.shape[1]
        if end > self._buffer.shape[1]:
            raise UnusableAudio(self._too_much())
        self._buffer[:, self.kept : end] = block
        self.kept = end

    def _too_much(self) -> str:
        if self._buffer.shape[1] / self.kept_rate >= self.max_s:
            return f"The recording is longer than {_in_words(self.max_s)}. Please send only the part that is needed."
        return (
            f"The recording is too large: {len(self._buffer)} channels with {self.sample_rate} samples a second, "
            f"for more than {_in_words(self.frames / self.sample_rate)}. Please save it as stereo with 44100 or 48000."
        )

    def _mended(self, block: Samples) -> Samples:
        """The block with samples that are not numbers set to silence; refuses numbers that are no sound."""
        peak = float(np.max(np.abs(block), initial=0.0))
        if peak <= MAX_PEAK:
            return block
        bad = ~np.isfinite(block)
        self.not_numbers += int(np.count_nonzero(bad))
        mended = np.where(bad, np.float32(0), block)
        if np.max(np.abs(mended)) > MAX_PEAK:
            raise UnusableAudio(TOO_LOUD)
        return mended

    def _promise_broken(self, promised_s: float | None) -> bool:
        if promised_s is None or self.changed:
            return False
        return promised_s - self.frames / self.sample_rate > CUT_OFF_S

    def sound(self, promised_s: float | None) -> Sound:
        """What was read.

        Raises:
            UnusableAudio: where nothing, too little, or mostly damage was read.
        """
        if self.frames == 0:
            raise UnusableAudio(DAMAGED if self.damaged or self.broke_off else NO_SOUND)
        seconds = self.frames / self.sample_rate
        hurt = self.damaged or self.broke_off or self.changed or self._promise_broken(promised_s)
        if hurt and seconds < MIN_KEPT_S:
            raise UnusableAudio(BREAKS_OFF)
        if 2 * self.damaged > self.packets:
            raise UnusableAudio(DAMAGED)
        if self.not_numbers > MAX_NOT_NUMBERS * self.frames * len(self._buffer):
            raise UnusableAudio(NOT_NUMBERS)
        samples = self._buffer[:, : self.kept]
        return Sound(samples.copy() if samples.nbytes < COPIED_BELOW else samples, self.kept_rate)

    def warnings(self, promised_s: float | None) -> Iterator[str]:
        seconds = self.frames / self.sample_rate
        if promised_s is not None and self._promise_broken(promised_s):
            yield f"The file is cut off: of {promised_s:.1f} seconds it holds {seconds:.1f}. What is there was kept."
        elif self.broke_off:
            yield f"The file breaks off after {seconds:.1f} seconds. What is there was kept."
        if self.damaged:
            yield f"{self.damaged} of {self.packets} pieces of the file were damaged."
        if self.lost_s:
            yield f"{self.lost_s:.2f} seconds within the file are missing; there is silence in their place."
        if self.changed:
            yield f"The recording changes its format after {seconds:.1f} seconds. Only what came before was kept."
        if self.not_numbers:
            yield f"{self.not_numbers} samples were not numbers and were set to silence."


def _as_float(frame: AudioFrame) -> Samples:
    """A frame's samples as float32 (C, n), full scale 1; channels are neither mixed nor re-ordered."""
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    name = frame.format.name.removesuffix("p")
    if name == "u8":
        return (values.astype(np.float32) - 128) / 128
    return (values / FULL_SCALE[name]).astype(np.float32)


def _in_words(seconds: float) -> str:
    if seconds == 3600:
        return "one hour"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


# --------------------------------------------------------------------------------------------- what the header says


def _promised_s(file: BinaryIO, container: InputContainer, stream: AudioStream) -> float | None:
    """Seconds that the file's header promises; None where it makes no promise worth believing."""
    name = container.format.name
    if name == "wav":
        return _promised_by_wav(file)
    if name in TRUE_HEADERS or (name == "mp3" and _has_mp3_header(file)):
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None and len(container.streams) == 1:
            return container.duration / av.time_base
    return None


def _promised_by_wav(file: BinaryIO) -> float | None:
    """Seconds by a WAV's data chunk, which libav cuts to the file's size; None where a streamed file leaves it open."""
    file.seek(12)
    bytes_a_second = 0
    while len(head := file.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        if kind == b"fmt ":
            body = file.read(size + size % 2)
            bytes_a_second = struct.unpack_from("<I", body, 8)[0] if len(body) >= 12 else 0
        elif kind == b"data":
            known = 0 < size < 0x7FFFFF00 and bytes_a_second > 0
            return size / bytes_a_second if known else None
        else:
            file.seek(size + size % 2, io.SEEK_CUR)
    return None


def _has_mp3_header(file: BinaryIO) -> bool:
    """Whether an MP3's first frame counts the frames (Xing or Info), so that its length is no estimate."""
    file.seek(0)
    head = file.read(10)
    tag = 0
    if head[:3] == b"ID3" and len(head) == 10:
        tag = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    file.seek(tag)
    first = file.read(4096)
    return b"Xing" in first or b"Info" in first


def _bit_depth(codec: str, extradata: bytes | None) -> int | None:
    """Bits a sample: by name for PCM, from the stream's description for FLAC and ALAC, None for lossy codecs."""
    if codec.startswith("pcm_"):
        digits = "".join(letter for letter in codec if letter.isdigit())
        return int(digits) if digits else None
    if codec == "flac" and extradata is not None and len(extradata) >= 34:
        return ((extradata[12] & 1) << 4 | extradata[13] >> 4) + 1  # STREAMINFO, RFC 9639 section 8.2
    if codec == "alac" and extradata is not None and len(extradata) >= 18:
        return extradata[17]  # sample size in the ALAC magic cookie, after the atom's 12 bytes
    return None
