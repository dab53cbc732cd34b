"""Parts of addresses."""

from __future__ import annotations

from django.urls import register_converter

from recordings.release.names import VERSION_NAME


class Version:
    """What a release may be called; anything else is no address at all."""

    regex = VERSION_NAME.pattern

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Version, "version")
