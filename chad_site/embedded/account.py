"""As whom the PostgreSQL server runs. It refuses to run as root, so root has to become somebody else first."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from chad_site.embedded.errors import EmbeddedError

# linux/sched.h, linux/prctl.h and linux/capability.h
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1

libc = ctypes.CDLL(None, use_errno=True)

Become = Callable[[], None]


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """The kernel sends `signum` to this process when the thread that started it ends.

    To be called after the last change of credentials, which would clear it.
    """
    libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def stay_oneself() -> None:
    """An ordinary user needs no change."""


def enter_user_namespace() -> None:
    """root becomes an ordinary user in a user namespace of its own; outside, files still belong to root."""
    uid, gid = os.getuid(), os.getgid()
    somebody = unprivileged()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are forbidden here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{somebody.pw_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{somebody.pw_gid} {gid} 1")


def become_nobody() -> None:
    """root turns into an existing unprivileged user, for good.

    Where the system allows it, that user keeps the right to pass through folders which are root's alone, as /root
    is: the programs or the data may lie there.
    """
    somebody = unprivileged()
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(somebody.pw_gid)
    os.setuid(somebody.pw_uid)
    header = (ctypes.c_uint32 * 2)(CAP_VERSION_3, 0)
    only = 1 << CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(only, only, only)  # effective, permitted, inheritable, then the upper halves
    if libc.capset(header, sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def unprivileged() -> pwd.struct_passwd:
    """`nobody`, or the first user who is not root. (initdb looks its user up, so it has to exist.)"""
    users = pwd.getpwall()
    for user in [u for u in users if u.pw_name == "nobody"] + [u for u in users if u.pw_uid != 0]:
        return user
    raise EmbeddedError("PostgreSQL does not run as root and this machine has no other user. Set DATABASE_URL.")


def works(become: Become, program: Path, folder: Path) -> bool:
    """Whether `program` can be run as the other user, and `folder` be written by it."""

    def probe() -> None:
        become()
        trial = folder / f".trial-{os.getpid()}"
        trial.touch()
        trial.unlink()

    try:
        found = subprocess.run([program, "--version"], preexec_fn=probe, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return False
    return found.returncode == 0


def server_account(program: Path, folders: list[Path]) -> Become:
    """How the server gets an account in which it may run: what its process has to call before `exec`.

    As root: a user namespace, else `nobody`, to whom the folders are then given. Raises EmbeddedError if neither works.
    """
    if os.getuid() != 0:
        return stay_oneself
    if works(enter_user_namespace, program, folders[0]):
        return enter_user_namespace
    somebody = unprivileged()
    for folder in folders:
        give_to(folder, somebody)
    if all(works(become_nobody, program, folder) for folder in folders):
        return become_nobody
    raise EmbeddedError(
        f"PostgreSQL does not run as root. User namespaces are forbidden here, and the user {somebody.pw_name} "
        f"cannot reach {program} or {folders[0]}. Start CHAD as an ordinary user, or set DATABASE_URL."
    )


def give_to(folder: Path, user: pwd.struct_passwd) -> None:
    """Makes `user` the owner of the folder and of all in it."""
    os.chown(folder, user.pw_uid, user.pw_gid)
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            os.chown(os.path.join(parent, name), user.pw_uid, user.pw_gid, follow_symlinks=False)
