"""What `make` does before anything else: an environment that is made once, and made anew when it is half there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chad_site import environment
from chad_site.embedded.places import REPOSITORY


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that requires no package, so that its environment takes seconds."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "chad_site").mkdir()
    shutil.copy(REPOSITORY / "chad_site" / "environment.py", folder / "chad_site")
    (folder / "requirements.txt").write_text("# nothing\n")
    return folder


def make(repository: Path) -> str:
    """Runs the script, and gives what it says."""
    done = subprocess.run(
        [sys.executable, "-P", "chad_site/environment.py"], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_an_interrupted_install_left_is_made_anew_and_then_only_what_changed(repository):
    venv = repository / ".venv"
    venv.mkdir()
    for left in ("unfinished", "half-a-package"):
        (venv / left).touch()
    assert "is unfinished; making it anew" in make(repository)
    assert (venv / "bin" / "python").exists()
    assert not (venv / "half-a-package").exists()
    assert make(repository) == ""

    (repository / "requirements.txt").write_text("# still nothing\n")
    said = make(repository)
    assert "Installing" in said
    assert "anew" not in said
    assert make(repository) == ""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("VERSION", (3, 99), "CHAD needs Python 3.11"), ("NEEDED_MB", 10**9, "is full: ")],
)
def test_what_stands_in_the_way_is_one_sentence(tmp_path, monkeypatch, capsys, name, value, said):
    (tmp_path / "requirements.txt").write_text("")
    for where, path in {
        "REPOSITORY": tmp_path,
        "REQUIREMENTS": tmp_path / "requirements.txt",
        "VENV": tmp_path / ".venv",
        "PYTHON": tmp_path / ".venv/bin/python",
        "STAMP": tmp_path / ".venv/installed",
        "UNFINISHED": tmp_path / ".venv/unfinished",
    }.items():
        monkeypatch.setattr(environment, where, path)
    monkeypatch.setattr(environment, name, value)
    assert environment.main() == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
