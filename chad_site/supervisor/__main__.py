"""`python -m chad_site.supervisor`, which `make run` calls."""

import sys

from chad_site.supervisor.run import main

if __name__ == "__main__":
    sys.exit(main())
