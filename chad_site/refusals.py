"""The log of refusals: who may not see a page costs a line, not a traceback."""

from __future__ import annotations

import logging

from django.core.exceptions import PermissionDenied


class RefusedInALine(logging.Filter):
    """For the logger of Django's answers. A refused page is nobody's mistake in the code: its line says who was refused
    what, and everything else keeps its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], PermissionDenied):
            record.exc_info = record.exc_text = None
            record.msg, record.args = f"{record.msg}, asked for by %s", (*(record.args or ()), asker(record))
        return True


def asker(record: logging.LogRecord) -> str:
    """Who asked, by a number: a name may be an address, and logs are kept for long."""
    person = getattr(getattr(record, "request", None), "user", None)
    return f"person {person.pk}" if person and person.is_authenticated else "a stranger"
