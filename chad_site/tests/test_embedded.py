"""The embedded database: started by its first user, shared by all, gone with its last, whatever happens to them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chad_site.embedded import EmbeddedError, account, locks, postgres_settings, redis_url, server
from chad_site.embedded.errors import sentence_of
from chad_site.embedded.places import LONGEST_SOCKET_PATH, REPOSITORY, Places, make_private
from chad_site.supervisor.guard import parents
from chad_site.tests.processes import (
    environment,
    finish,
    keeper_of,
    postmaster_of,
    processes_of,
    psql,
    query,
    wait_until_gone,
)
from chad_site.tests.services import wait_until

# A command that uses the database for as long as the test likes.
SLEEPER = "SELECT pg_sleep(600)"


@pytest.fixture(scope="module")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose database exists. Tests leave it without users."""
    home = tmp_path_factory.mktemp("used") / "home"
    query(home, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')")
    yield home
    wait_until_gone(home)


@pytest.fixture
def home(used_home: Path) -> Iterator[Path]:
    wait_until_gone(used_home)
    yield used_home
    wait_until_gone(used_home)


def in_use(home: Path) -> subprocess.Popen[str]:
    """A command that uses the database until it is ended."""
    user = psql(home, SLEEPER)
    wait_until(lambda: server.answers(Places(home)), "The server answers")
    sleepers = f"SELECT count(*) FROM pg_stat_activity WHERE query = '{SLEEPER}'"
    wait_until(lambda: query(home, sleepers) == "1", "In use")
    return user


def end(user: subprocess.Popen[str], signum: int = signal.SIGKILL) -> None:
    """Ends a command with its psql, which a kill would otherwise leave."""
    for pid in [user.pid, *children_of(user.pid)]:
        # A psql whose server was killed may have ended by itself a moment ago.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
    user.communicate()


def children_of(pid: int) -> list[int]:
    return [child for child, parent in parents().items() if parent == pid]


def test_first_use_makes_an_empty_database_that_takes_any_language_and_vectors(tmp_path):
    home = tmp_path / "home"
    answer = query(
        home, "CREATE EXTENSION vector; SELECT current_user, current_database(), '[1,2]'::vector <#> '[3,4]'"
    )
    assert answer == "chad|chad|-11"
    assert query(home, "SELECT upper('frère'), getdatabaseencoding()") == "FRÈRE|UTF8"


def test_nothing_is_left_when_the_only_command_has_ended(home):
    query(home, "SELECT 1")
    assert processes_of(home) == []


def test_what_was_written_is_there_for_the_next_command(home):
    assert query(home, "SELECT word FROM kept") == "here"


def test_several_first_commands_at_once_make_one_database(tmp_path):
    home = tmp_path / "home"
    users = [psql(home, f"CREATE TABLE of_{number} (x int)") for number in range(4)]
    for user in users:
        finish(user)
    assert query(home, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'of%'") == "4"
    wait_until_gone(home)


def test_the_first_command_to_end_does_not_take_the_server_from_the_second(home):
    user = in_use(home)
    server_number = postmaster_of(home)
    assert query(home, "SELECT word FROM kept") == "here"
    assert postmaster_of(home) == server_number
    assert user.poll() is None
    end(user)


def test_a_killed_command_does_not_keep_the_server_alive(home):
    end(in_use(home), signal.SIGKILL)
    wait_until_gone(home)


def test_a_command_goes_on_when_the_one_that_started_the_server_is_killed(home):
    first, second = in_use(home), psql(home, "SELECT pg_sleep(1); SELECT word FROM kept")
    wait_until(lambda: len(children_of(second.pid)) == 1, "The second command uses the database")
    end(first)
    assert finish(second).split() == ["here"]


def test_the_server_ends_with_its_killed_keeper_and_the_next_command_starts_another(home):
    user = in_use(home)
    os.kill(keeper_of(home), signal.SIGKILL)
    assert query(home, "SELECT word FROM kept") == "here"
    end(user)


def test_a_server_that_was_killed_is_recovered_with_all_rows(home):
    user = in_use(home)
    query(home, "INSERT INTO kept VALUES ('before the kill')")
    keeper, postmaster = keeper_of(home), postmaster_of(home)
    for pid in (keeper, postmaster):
        os.kill(pid, signal.SIGKILL)
    end(user)
    assert query(home, "DELETE FROM kept WHERE word <> 'here' RETURNING word") == "before the kill"


def test_a_stale_lock_of_a_killed_server_is_no_obstacle(home):
    """Even when its process number belongs to another program by now, which PostgreSQL alone would take for itself."""
    (Places(home).postgres_data / "postmaster.pid").write_text(f"{os.getpid()}\n{home}\n0\n5432\n\n\n\nready   \n")
    Places(home).prepare()
    Path(f"{Places(home).postgres_socket}.lock").write_text(f"{os.getpid()}\n")
    assert query(home, "SELECT word FROM kept") == "here"


def test_an_unfinished_first_start_is_begun_again(tmp_path):
    home = tmp_path / "home"
    (home / "postgres.part" / "base").mkdir(parents=True)
    assert query(home, "SELECT 1") == "1"
    assert not (home / "postgres.part").exists()


def test_django_connects_again_after_the_keeper_was_killed(home):
    """What a web process does whose database is gone: the next connection starts it again."""
    script = (
        "import os, signal, sys, django; django.setup()\n"
        "from django.db import connection\n"
        "connection.cursor().execute('SELECT 1'); connection.close()\n"
        "print('connected', flush=True); sys.stdin.readline()\n"
        "cursor = connection.cursor(); cursor.execute('SELECT word FROM kept'); print(cursor.fetchone()[0])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment(home), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == "connected\n"
    os.kill(keeper_of(home), signal.SIGKILL)
    wait_until(lambda: not server.answers(Places(home)), "The server has stopped")
    answer, _ = process.communicate("go on\n")
    assert answer == "here\n"


def test_a_home_with_a_long_path_works(tmp_path):
    home = tmp_path / ("a-long-name-" * 12) / "and, an odd one"
    places = Places(home)
    assert places.sockets.parent == Path("/tmp")
    assert query(home, "SELECT 1") == "1"
    wait_until_gone(home)
    assert not places.sockets.exists()


@pytest.mark.parametrize("length", [1, 40, 70, 80, 90, 100, 200, 3000])
def test_sockets_have_paths_that_the_kernel_takes(length):
    places = Places(Path("/" + "h" * length))
    for path in (Path(f"{places.postgres_socket}.lock"), places.redis_socket):
        assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
    assert postgres_settings(places.home)["HOST"] == str(places.sockets)
    assert redis_url(places.home) == f"redis+socket://{places.redis_socket}?virtual_host=0"


def test_two_homes_never_share_sockets(tmp_path):
    long = tmp_path / ("n" * 120)
    assert Places(long / "one").sockets != Places(long / "two").sockets


def test_a_folder_of_sockets_is_for_this_user_alone(tmp_path):
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o755)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_the_folder_of_sockets_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        make_private(tmp_path / "sockets")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_sockets_that_another_user_made_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "sockets"
    folder.mkdir()
    os.chown(folder, 4242, 4242)
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        make_private(folder)


def test_a_home_that_cannot_be_a_folder_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    process = psql(tmp_path / "file" / "home", "SELECT 1")
    output, errors = process.communicate()
    assert (process.returncode, output) == (1, "")
    assert errors == f"{tmp_path}/file/home is not a folder. Set CHAD_HOME to a folder that CHAD may write.\n"


@pytest.mark.parametrize("arguments", [["migrate"], ["first_start"], ["check", "--database", "default"]])
def test_a_management_command_says_it_in_one_sentence_too(home, arguments):
    """Another major version's files are what a person meets after an upgrade."""
    (home / "postgres" / "PG_VERSION").write_text("12\n")
    done = manage(home, *arguments)
    (home / "postgres" / "PG_VERSION").write_text(f"{server.MAJOR}\n")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "was made by PostgreSQL 12" in done.stderr


def test_a_management_command_without_a_usable_home_says_so(tmp_path):
    (tmp_path / "file").touch()
    done = manage(tmp_path / "file", "check")
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}/file is not a folder. Set CHAD_HOME to a folder that CHAD may write.\n"


def manage(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment(home), capture_output=True, text=True)


def test_postgres_own_last_words_are_passed_on(home):
    conf = home / "postgres" / "postgresql.conf"
    before = conf.read_text()
    conf.write_text(before + "\nno_such_setting = 1\n")
    process = psql(home, "SELECT 1")
    _, errors = process.communicate()
    conf.write_text(before)
    assert process.returncode == 1
    assert "PostgreSQL could not start" in errors
    assert "no_such_setting" in errors


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "is full"), (errno.EACCES, "cannot be written"), (errno.EROFS, "cannot be written")],
)
def test_errors_of_the_disk_are_sentences_that_say_what_to_do(number, said):
    sentence = sentence_of(OSError(number, os.strerror(number), "/home/chad/log"), Path("/home/chad"))
    assert said in sentence
    assert "CHAD_HOME" in sentence


def test_a_full_disk_is_told_from_postgres_own_words(tmp_path):
    sentence = server.failure("start", Places(tmp_path), ["FATAL:  could not write: No space left on device"])
    assert sentence.startswith("The disk that holds")


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_root_becomes_nobody_where_user_namespaces_are_forbidden(tmp_path, monkeypatch):
    """The home lies in a folder that is root's alone, as a home below /root does."""
    assert tmp_path.parent.stat().st_mode & 0o077 == 0
    works = account.works
    monkeypatch.setattr(account, "works", lambda how, *more: how is account.become_nobody and works(how, *more))
    places = Places(tmp_path / "home")
    places.prepare()
    lock = locks.try_exclusive(places.server_lock)
    process = server.Cluster.of(places, throwaway=True).start(lock)
    assert Path(f"/proc/{process.pid}").owner() == "nobody"
    assert server.answers(places)
    server.stop(process)
    os.close(lock)


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user stays itself")
def test_root_without_any_way_out_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(account, "works", lambda *_: False)
    with pytest.raises(EmbeddedError, match=r"PostgreSQL does not run as root.*Start CHAD as an ordinary user"):
        account.server_account(server.program("postgres"), [tmp_path])


def test_locks_are_free_as_soon_as_their_holder_is_gone(tmp_path):
    path = tmp_path / "lock"
    script = f"from chad_site.embedded import locks; locks.take_exclusive(Path({str(path)!r}))"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"from pathlib import Path; {script}; print(1, flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    holder.stdout.readline()
    assert locks.try_exclusive(path) is None
    holder.kill()
    holder.communicate()
    fd = locks.try_exclusive(path)
    assert fd is not None
    os.close(fd)


def test_only_a_large_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "LOG_LIMIT_BYTES", 10)
    log = tmp_path / "a.log"
    server.rotate(log)
    log.write_text("short")
    server.rotate(log)
    assert log.read_text() == "short"
    log.write_text("one line\nand another\n" * 3)
    assert server.last_lines(log, 2) == ["one line", "and another"]
    server.rotate(log)
    assert not log.exists()
    assert (tmp_path / "a.log.1").exists()
