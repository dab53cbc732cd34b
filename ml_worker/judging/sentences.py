"""What the check says to a singer: English format strings, marked so that xgettext finds them.

The check knows no Django, so it translates nothing. A page takes a reason's `message` and `values` and shows
`worded(gettext(message), values)`.
"""

from __future__ import annotations

from collections.abc import Mapping


def gettext_noop(message: str) -> str:
    """Marks a message for xgettext and leaves it as it is."""
    return message


def worded(message: str, values: Mapping[str, float]) -> str:
    """A message, or its translation, with its values: fractions with one decimal, counts as whole numbers.

    A message without values is taken as it stands, so that text from elsewhere may hold a per cent sign.
    """
    if not values:
        return message
    return message % {name: f"{value:.1f}" if isinstance(value, float) else value for name, value in values.items()}


# --- the sound

SILENT = gettext_noop("We could not hear you. Check the microphone and hum again.")
NO_VOICE = gettext_noop(
    "We heard sound but no humming. Find a quieter place, come closer to the microphone and hum again."
)
TOO_SHORT = gettext_noop("The recording is only %(duration_s)s seconds long. Hum the whole phrase before you stop.")
TOO_LONG = gettext_noop("The recording is %(minutes)s minutes long. Hum just this phrase, then stop.")
TOO_QUIET = gettext_noop("You are very quiet. Come closer to the microphone and hum again.")
CLIPPED = gettext_noop(
    "You are too loud for the microphone, and the sound is distorted. Move back a little and hum again."
)
SOME_CLIPPED = gettext_noop("You are a little too loud for the microphone at times. Move back a little next time.")
NOISY = gettext_noop(
    "There is too much noise around you. Find a quieter place or come closer to the microphone, and hum again."
)
SOME_NOISE = gettext_noop("There is some noise around you. A quieter place would make your takes better.")
DROPOUTS = gettext_noop("Parts of the recording are missing. Close other apps and tabs, and hum again.")
SOME_DROPOUTS = gettext_noop("The recording has small gaps. Closing other apps and tabs helps.")
NARROW = gettext_noop("The recording sounds like a telephone call. Without a Bluetooth headset it would sound better.")
LEAK = gettext_noop(
    "The melody from the loudspeaker can be heard in your take. Use headphones, or listen first and hum after."
)
SOME_LEAK = gettext_noop("The melody from the loudspeaker can be heard a little in your take. Headphones keep it out.")
WORDS = gettext_noop("It sounds as if you sing words. Hum on “mm” or “da” instead.")

# --- the melody

TOO_LITTLE = gettext_noop(
    "We heard %(hummed_s)s seconds of humming; the phrase has %(asked_s)s. Hum all of it before you stop."
)
NO_BEGINNING = gettext_noop(
    "We heard about %(share)s %% of the phrase; its beginning is missing. "
    "Start the recording first, then hum all of it."
)
NO_END = gettext_noop("We heard about %(share)s %% of the phrase; its end is missing. Hum all of it before you stop.")
WRONG_TUNE = gettext_noop("This does not sound like the phrase. Listen to it once more, then hum it again.")
ONE_NOTE = gettext_noop("We heard one long note, not the phrase. Listen to it once more, then hum its melody.")
OFF_TIME = gettext_noop(
    "The notes are right, but the timing is off. Listen to the phrase once more and hum it at its own pace."
)
BEHIND = gettext_noop("You were %(seconds)s seconds behind the melody. Humming with it makes the take more useful.")
AHEAD = gettext_noop("You were %(seconds)s seconds ahead of the melody. Humming with it makes the take more useful.")
