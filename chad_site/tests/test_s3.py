"""The same commands on S3 by settings alone: a local server that speaks the real protocol stands in for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from recordings.tests import factories

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "chad-test"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 with an empty bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def manage(home: Path, address: str, *arguments: str) -> dict:
    """A command of an instance of its own whose files are in the bucket."""
    environment = os.environ | {
        "CHAD_HOME": str(home),
        "CHAD_STORAGE_BUCKET": BUCKET,
        "CHAD_STORAGE_ENDPOINT": address,
        "CHAD_STORAGE_REGION": "us-east-1",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments, "--json"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_song_goes_to_the_bucket_and_is_analysed_from_there(s3: str, tmp_path: Path) -> None:
    bucket = boto3.resource("s3", endpoint_url=s3).create_bucket(Bucket=BUCKET)
    song = tmp_path / "song.wav"
    song.write_bytes(factories.audio_file(factories.tone(8.0)))
    home = tmp_path / "home"
    recording = manage(home, s3, "import_song", str(song), "--title", "A tone", "--artist", "Nobody")["recording"]
    assert manage(home, s3, "analyse", recording)["failed"] == []
    names = {entry.key for entry in bucket.objects.all()}
    assert {f"recordings/{recording}/as-it-came", f"recordings/{recording}/audio.flac"} <= names
    assert any(name.startswith(f"recordings/{recording}/melody-") for name in names)
    assert bucket.Object(f"recordings/{recording}/as-it-came").get()["Body"].read() == song.read_bytes()
    assert not (home / "storage").exists(), "nothing is left on the disk"
