"""The voices and instruments that can carry a melody: what their source and their resonances are like.

Formant frequencies are rounded from the usual tables for sung vowels (Sundberg, The Science of the Singing Voice,
1987; the phoneme tables of Csound's manual). Bandwidths are wider than in speech, so that no harmonic sticks out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Shape:
    """A position of the mouth, or the body of an instrument: resonances in Hz and their widths in Hz."""

    resonances_hz: tuple[float, ...]
    widths_hz: tuple[float, ...]

    def scaled(self, factor: float) -> Shape:
        """The same shape in a smaller (factor > 1) or larger body."""
        return Shape(tuple(factor * f for f in self.resonances_hz), self.widths_hz)


@dataclass(frozen=True)
class Timbre:
    """A voice or an instrument that plays one note at a time.

    Attributes:
        vowels: the shapes that it sings on, one for each breath; an instrument has one.
        is_throat: whether its resonances stand one behind the other (a throat) or side by side on a body.
        closure: the shape at the start of each note (a singer's "n"), None where notes start open.
        closure_db: level during the closure, against the note.
        tilt_db: how the source falls, dB an octave (negative).
        even_db: level of even harmonics against their neighbours (a clarinet's are weak).
        breath_db: level of the breath in the tone, against the tone.
        attack_s: standard deviation of the smoothing of its level; a tone rises in about 2.5 times that.
        glide_s: the same for its pitch.
        scoop: semitones below the first note of a phrase at which it begins.
        vibrato_hz, vibrato_semitones, vibrato_after_s: rate, peak depth, and when it sets in.
        inhales: whether a breath is heard before phrases.
        octave: semitones by which a melody is moved to lie well.
    """

    name: str
    vowels: tuple[Shape, ...]
    is_throat: bool = True
    closure: Shape | None = None
    closure_db: float = -6.0
    tilt_db: float = -9.0
    even_db: float = 0.0
    breath_db: float = -32.0
    attack_s: float = 0.016
    glide_s: float = 0.020
    scoop: float = 0.0
    vibrato_hz: float = 5.3
    vibrato_semitones: float = 0.25
    vibrato_after_s: float = 0.30
    inhales: bool = False
    octave: int = 0

    def scaled(self, factor: float, name: str, **changes: object) -> Timbre:
        """The same singer with a shorter (factor > 1) or longer throat."""
        closure = self.closure.scaled(factor) if self.closure else None
        vowels = tuple(vowel.scaled(factor) for vowel in self.vowels)
        return replace(self, name=name, vowels=vowels, closure=closure, **changes)


VOWEL_WIDTHS_HZ = (110.0, 120.0, 170.0, 220.0, 280.0)
NASAL_WIDTHS_HZ = (90.0, 260.0, 280.0, 300.0, 340.0)

AH = Shape((760.0, 1200.0, 2750.0, 3650.0, 4700.0), VOWEL_WIDTHS_HZ)
UH = Shape((640.0, 1120.0, 2750.0, 3600.0, 4650.0), VOWEL_WIDTHS_HZ)
OH = Shape((520.0, 950.0, 2700.0, 3550.0, 4600.0), VOWEL_WIDTHS_HZ)
NN = Shape((280.0, 1150.0, 2450.0, 3300.0, 4300.0), NASAL_WIDTHS_HZ)
MM = Shape((250.0, 1000.0, 2200.0, 3100.0, 4100.0), NASAL_WIDTHS_HZ)

ALTO = Timbre("alto voice", vowels=(UH, OH, UH, AH), closure=NN, tilt_db=-7.0, breath_db=-30.0, scoop=0.7, inhales=True)
SOPRANO = ALTO.scaled(1.12, "soprano voice", tilt_db=-8.0, vibrato_hz=5.7, vibrato_semitones=0.32)
TENOR = ALTO.scaled(0.88, "tenor voice", tilt_db=-6.0, vibrato_hz=5.0, vibrato_semitones=0.22, octave=-12)

VIOLIN = Timbre(
    "violin",
    vowels=(Shape((290.0, 480.0, 1100.0, 2500.0), (90.0, 140.0, 500.0, 900.0)),),
    is_throat=False,
    tilt_db=-8.0,
    breath_db=-44.0,
    attack_s=0.026,
    glide_s=0.014,
    vibrato_hz=5.9,
    vibrato_semitones=0.24,
    vibrato_after_s=0.15,
)
CLARINET = Timbre(
    "clarinet",
    vowels=(Shape((1500.0, 3000.0), (700.0, 1200.0)),),
    is_throat=False,
    tilt_db=-13.0,
    even_db=-16.0,
    breath_db=-44.0,
    attack_s=0.013,
    glide_s=0.007,
    vibrato_semitones=0.05,
)
FLUTE = Timbre(
    "flute",
    vowels=(Shape((800.0, 1800.0), (500.0, 1200.0)),),
    is_throat=False,
    tilt_db=-16.0,
    breath_db=-30.0,
    attack_s=0.018,
    glide_s=0.009,
    vibrato_hz=5.0,
    vibrato_semitones=0.14,
    vibrato_after_s=0.2,
)

# A closed mouth: nearly all of the sound is in the lowest harmonics.
HUMMER = Timbre(
    "hum",
    vowels=(MM,),
    closure=MM,
    closure_db=-7.0,
    tilt_db=-12.0,
    breath_db=-34.0,
    glide_s=0.028,
    attack_s=0.022,
    scoop=0.5,
    vibrato_semitones=0.12,
    inhales=True,
)
# Not everybody hums with the mouth closed: "na na", and "da da" with a silence before each note.
NA_SINGER = replace(HUMMER, name="na na", vowels=(UH, OH), closure=NN, tilt_db=-8.0, closure_db=-7.0)
DA_SINGER = replace(NA_SINGER, name="da da", closure_db=-26.0, glide_s=0.018)
