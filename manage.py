#!/usr/bin/env python
"""Django's command line for CHAD."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chad_site.settings")
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    from chad_site.embedded import EmbeddedError

    try:
        execute_from_command_line(sys.argv)
    except EmbeddedError as problem:
        sys.exit(str(problem))
    except OperationalError as problem:
        if not isinstance(problem.__cause__, EmbeddedError):
            raise
        sys.exit(str(problem))  # the embedded database cannot start, and this is the sentence that says why


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)  # stopped while Django was loading; commands say so themselves
