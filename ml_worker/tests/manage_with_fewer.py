"""manage.py with less of what training composes by itself, for processes of their own:

python -m ml_worker.tests.manage_with_fewer train --kind short
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from ml_worker.fingerprint.frozen import Size

MANAGE = Path(__file__).parents[2] / "manage.py"
COMPOSED, FROZEN = 100, Size(tunes=4, distractors=4)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chad_site.settings")
    import django

    django.setup()
    from ml_worker.work import promotion, training_data

    training_data.COMPOSED, promotion.SIZE = COMPOSED, FROZEN
    sys.argv[0] = str(MANAGE)
    runpy.run_path(str(MANAGE), run_name="__main__")


if __name__ == "__main__":
    main()
