# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a file whole or not at all.

A reader sees the old file or the new one, whenever the process or the power is cut: the new content is
complete and on disk under another name before it takes the file's place (rename(2) is atomic within a directory).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import stat
import tempfile
import time
from collections.abc import Iterator

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

#: What is left of a process that was killed before it could rename its file: nobody writes for so long, in seconds.
_LEFT_BEHIND = 3600
_PREFIX = ".mutual-tls-"


def read_if_present(path: str, *, most: int = -1) -> bytes | None:
    """The file's content, or its first *most* bytes; None when there is no such file. Raises OSError for every other trouble."""
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise OSError(errno.EINVAL, "It is no regular file", path)
            return stream.read(most)
    except FileNotFoundError:
        return None


def _without_waiting(path: str, flags: int) -> int:
    """Open *path*; a pipe that nobody writes to would keep others waiting for ever."""
    return os.open(path, flags | os.O_NONBLOCK)


def check_replaceable(path: str) -> None:
    """Say it before anything is promised when the file at *path* cannot be replaced, and who could. Raises InputError."""
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    me = _name_of(os.geteuid())
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise InputError(f"The file system of the directory {directory} is read-only, so {path} cannot be changed.", path=path)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise InputError(
            f"'{me}' cannot write into the directory {directory}, where a new file is made beside {path} and takes its place: "
            "run as the directory's owner (become_user).",
            path=path,
        )
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(target)
        if os.geteuid() != 0 and (found.st_uid != os.geteuid() or found.st_gid not in {os.getegid(), *os.getgroups()}):
            raise InputError(
                f"{path} belongs to '{_name_of(found.st_uid)}' and to a group of that user, which '{me}' cannot keep in a new file: run as "
                "root, or as its owner (become_user). It was left as it is.",
                path=path,
            )


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def write_atomically(path: str, content: bytes, *, mode: int = 0o600) -> None:
    """Put *content* at *path* in one step.

    An existing file's owner, group and mode are kept; a new file gets *mode*. The content is never, not even for a
    moment, readable by more people than that: the temporary file is made 0600 before anything is written to it.
    A symbolic link is followed, so that the link stays and its target is replaced. Raises OSError with *path* as its
    file's name, after which the file is as it was.
    """
    target = os.path.realpath(path)
    try:
        try:
            existing: os.stat_result | None = os.stat(target)
        except FileNotFoundError:
            existing = None
        _replace(target, content, existing, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def make_private_directory(path: str, of: str) -> None:
    """Make the directory *of* something, for its owner only, if it is absent; its parent must be there.

    Raises InputError where the parent is missing, or where others may look into the directory.
    """
    check_private_directory(path, of)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    check_private_directory(path, of)  # somebody else may have been faster


def check_private_directory(path: str, of: str) -> None:
    """Raises InputError where make_private_directory() would; makes nothing."""
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise InputError(f"The directory {os.path.dirname(path)} of {of} does not exist; make it first, owned by who runs this.", path=path)
    if not os.path.lexists(path):
        return
    mode = os.stat(path).st_mode & 0o777
    if mode & 0o077:
        raise InputError(
            f"The directory {path} of {of} has the mode {mode:04o}, and is for its owner only. If nobody else has had its files, set it to "
            "0700; else name another one.",
            path=path,
        )


def remove_if_present(path: str) -> bool:
    """Remove the file at *path*; whether there was one."""
    try:
        os.remove(path)
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def alone_at(path: str, *, wait: float = 60) -> Iterator[None]:
    """Hold others off who change a file in the same directory, so that no change is lost between reading and writing it.

    The lock is on the directory and ends with the process. Where the file system knows no such locks there is none. Raises
    PeerError after *wait* seconds.
    """
    directory = os.path.dirname(os.path.realpath(path))
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        yield  # there is no such directory, or it cannot be read: who writes there will say so
        return
    try:
        _lock(descriptor, directory, wait)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise PeerError(
                    f"Another run has been changing a file in {directory} for more than {wait:g} seconds. This one changed nothing: "
                    "wait until the other ends, or end it if it hangs, and run this again."
                ) from error
            time.sleep(0.05)
        except OSError:
            return


def keep_copy(path: str) -> str:
    """Copy the file at *path* beside it, as Ansible names backups; returns the copy's path.

    The copy has the file's owner and group, and is readable by that owner only, whatever the file's mode.
    """
    copy = f"{path}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S', time.localtime())}~"
    with open(path, "rb") as stream:
        content, original = stream.read(), os.fstat(stream.fileno())
    write_copy(copy, content, original)
    return copy


def write_copy(path: str, content: bytes, original: os.stat_result) -> None:
    """Put *content* at *path*, for the owner and the group of *original*, and readable by that owner only.

    Whatever was at *path* is replaced and decides nothing: who may write into the directory could have put a link there. Who may
    not give files away keeps it.
    """
    _replace(path, content, None, 0o600, owner=original)


def _replace(path: str, content: bytes, existing: os.stat_result | None, mode: int, *, owner: os.stat_result | None = None) -> None:
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=_PREFIX, dir=directory)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            if existing is not None and (existing.st_uid, existing.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(stream.fileno(), existing.st_uid, existing.st_gid)
            if owner is not None:
                with contextlib.suppress(PermissionError):
                    os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
            os.fchmod(stream.fileno(), existing.st_mode & 0o7777 if existing is not None else mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):  # interrupted just after the rename
            os.unlink(temporary)
        raise
    _sync_directory(directory)
    _remove_left_behind(directory)


def _remove_left_behind(directory: str) -> None:
    """Remove what killed processes left here; it is as secret as the files that it should have become."""
    with contextlib.suppress(OSError), os.scandir(directory) as items:
        for item in items:
            if item.name.startswith(_PREFIX):
                _remove_if_old(item)


def _remove_if_old(item: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):  # it is gone meanwhile, or nobody may remove it: the next one is looked at all the same
        if time.time() - item.stat(follow_symlinks=False).st_mtime > _LEFT_BEHIND:
            os.unlink(item.path)


def _sync_directory(directory: str) -> None:
    """Make the rename itself survive a power cut, where the directory may be opened and its file system knows how.

    The file has its new content by now: no error here may say that it is as it was.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
