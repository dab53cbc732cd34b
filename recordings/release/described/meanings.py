"""What every column of a release means, in plain words: for its card, its Croissant description and its pages."""

from __future__ import annotations

from recordings.release.tables import DATASET, REMOVED, VERSIONS, WHY_GET_IT, WHY_NO_WAY, WHY_NOT_STORED

# Of columns that both tables have.
PLACE = {
    "group_id": "The song.",
    "fragment_id": "The fragment of the song; it stays the same in every release.",
    "id": "This version of the fragment. The original's is the fragment's own.",
    "audio_type": "What the version is: original, cover or humming.",
}

ABOUT_SINGER = "as the singer told it, and only where five or more singers share what is told; else empty"

MEANINGS: dict[str, dict[str, str]] = {
    DATASET: {
        **PLACE,
        "youtube_id": "The video on YouTube, where there is one.",
        "interval": (
            "Start and end in the full audio, seconds, as a Python literal such as [12.25, 19.0]. Of a hum the whole "
            "take."
        ),
        "correlation": (
            "Of a cover: how alike it is to its original, 0 to 1, by the checkpoint that found it. Of an original 1.0; "
            "of a hum empty, since no model measured it."
        ),
        "check_by_crowdsource": (
            "Whether people judged that it is the same and in step. Always True of hums, always False of originals."
        ),
        "is_available": ("Whether the video could be had when the release was frozen; False where there is no video."),
        "duration": "Length in seconds.",
    },
    VERSIONS: {
        **PLACE,
        "split": "train, validation or test: of the song, by a hash of its id, the same in every release.",
        "title": "Title of the song.",
        "artist": "Artist of the song.",
        "performer": "Of an original or a cover: who plays it. Name them where the licence asks for it.",
        "source": (
            "Of an original or a cover: file, youtube, or generated (rendered from notes by the project that makes "
            "CHAD)."
        ),
        "licence": "Licence of the audio; of a hum the one that its singer agreed to, an SPDX identifier.",
        "audio": "Path of the audio in the release; empty if the release has no audio of it.",
        "sha256": "SHA-256 of that file.",
        "why_no_audio": f'Why there is no audio: "{WHY_GET_IT}", "{WHY_NO_WAY}", or "{WHY_NOT_STORED}".',
        "sample_rate": "Sample rate of that file, Hz.",
        "offset_s": (
            "Seconds of the version's audio at which the fragment begins: the fragment's second u is heard at "
            "offset_s + u * tempo_ratio. Measured by a machine; 0 of covers, which are cut at their start."
        ),
        "tempo_ratio": "How much longer the version takes than the fragment: 1.1 is a tenth slower. By a machine.",
        "transposition": "How much higher the version is than the original, semitones, octaves included. By a machine.",
        "offset_confidence": "Of a hum: how far the machine's offset stands out from the next best, 0 to 1.",
        "latency_s": (
            "Of a hum: seconds from a sound that is due at the loudspeaker to the frame that hears it, by the most "
            "trusted method. The audio is never shifted by it."
        ),
        "latency_method": (
            "How that latency is known: loopback (measured through the loudspeaker in this very stream), leak (of the "
            "melody into the take), browser (its own figures) or curves (offset against the reference's start, the "
            "singer's reaction included)."
        ),
        "latency_confidence": "How far that latency is to be trusted, 0 to 1, by the method's own measure.",
        "similarity": "Of a hum: how alike the automatic check found it to the original, by the check's own measure.",
        "check_method": "Of a hum: the automatic check that measured offset, tempo, transposition and similarity.",
        "checkpoint": "Of a cover: the checkpoint that found it.",
        "null_level": "Of a cover: the correlation that unrelated pairs reach with that checkpoint.",
        "singer": (
            "Of a hum: a pseudonym, the same within this release and another one in every other release. Please do "
            "not try to find out who it is."
        ),
        "simulated": "True if a program sang it, not a person.",
        "consent_version": "Of a hum: the text that its singer agreed to, by its day.",
        "ai_training": (
            "Of a hum: True if its singer lets AI models be trained on it, False if not. Please keep to it, and to "
            "the newest release that has the hum, since singers may change it."
        ),
        "singer_split": (
            "Of a hum: train, validation or test in the second split, by a hash of its singer, so that no singer is "
            "in two."
        ),
        "device_class": (
            "Of a hum: what it was recorded on, phone, tablet or computer; only where five or more singers share what "
            "is told, else empty."
        ),
        "age_band": f"Of a hum: age of its singer in years, such as 30-39, {ABOUT_SINGER}.",
        "gender": f"Of a hum: gender of its singer, {ABOUT_SINGER}.",
        "musical_training": f"Of a hum: how much its singer has learned music, {ABOUT_SINGER}.",
        "snr_db": "Of a hum: level of the voice over the noise between, dB; empty if there was too little between.",
        "voiced_share": "Of a hum: share of the take in which a voice is heard, 0 to 1.",
        "clipped_share": "Of a hum: share of samples that were clipped, 0 to 1.",
        "coverage": "Of a hum: share of the fragment's melody that is hummed, 0 to 1.",
        "verdicts_for": "How many counted verdicts of people say that the version is good; empty if nobody was asked.",
        "verdicts_against": "How many counted verdicts of people say that it is not.",
        "agreement": "Share of those verdicts that say what was decided, 0 to 1; empty without any.",
        "decided_by": (
            "Who had the last word: people who agreed, the machine that was sure, or an admin who overruled them."
        ),
        "probability": "That the version is good, by the verdicts weighted by how reliable each reviewer is, 0 to 1.",
        "f0": (
            "Path of its pitch curve in the release: lines of seconds,Hz, with 0 Hz where no voice is heard. The "
            "curves are a part of the release that may be left out."
        ),
        "f0_method": "What tracked that pitch curve.",
    },
    REMOVED: {
        "version_id": "The id of the version in the tables of the earlier release.",
        "fragment_id": "Its fragment.",
        "audio_type": "What it was: original, cover or humming.",
        "last_release": "The last release that held it.",
        "why": "withdrawn (by its singer) or taken down (with its song).",
    },
}
