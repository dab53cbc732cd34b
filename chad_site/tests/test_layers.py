"""The layers hold: no import runs upwards, the machine parts know no Django, and the web process never loads torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_imports_keep_to_the_layers():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    lint = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_the_web_process_does_not_load_torch():
    """Every page's code is imported, as a request would, and torch and its like are not there."""
    program = (
        "import sys, chad_site.wsgi; from django.urls import get_resolver; list(get_resolver().reverse_dict);"
        "print([name for name in ('torch', 'librosa', 'demucs', 'onnxruntime', 'av', 'numba') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
