"""The starter catalogue: tunes as notes, rendered to audio, and a simulated singer. Free of Django."""
