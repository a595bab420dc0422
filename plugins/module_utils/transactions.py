# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member's files as they were before a run, until that run has shown that the system works; and one run at a time.

A transaction is open from before a run's first change until its last handshake. While it is open a *record* beside the keystore
says who holds it, and every file of it lies beside itself as ``PATH.before~``. A run that dies leaves its transaction open: the
next run takes it over, so that what it could go back to is still the last state that was shown to work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import files
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

#: A run's name: when it began (UTC), and 32 random bits.
RUN_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
#: A record is a few hundred bytes.
_MOST_BYTES = 1 << 20
_BEFORE, _UNDONE = ".before~", ".undone~"


@dataclass(frozen=True)
class Restored:
    """What became of one file when a run was undone."""

    path: str
    #: ``none`` (the run had not changed it), ``restored``, or ``set_aside`` (the run had made it).
    action: str
    #: Where the run's own version of the file is kept.
    undone: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The public part: what a module returns."""
        return {"path": self.path, "action": self.action, "undone": self.undone}


def find(record: str) -> dict[str, Any] | None:
    """Who holds the open transaction: ``run``, ``holder`` and ``since``; None when none is open."""
    found = _read(record)
    return None if found is None else {name: found[name] for name in ("run", "holder", "since")}


def begin(
    record: str,
    run: str,
    holder: Mapping[str, Any],
    paths: Sequence[str],
    *,
    expected: Mapping[str, str | None],
    take_over: str | None = None,
) -> list[str]:
    """Open a transaction on the files *paths*; returns the dead runs that it continues, oldest first.

    *expected* are the files' fingerprints as the run's plan knows them, None for a file that was not there. *take_over* is the run
    whose transaction this one continues. Raises PeerError when another run holds the member, or changed a file meanwhile.
    """
    _check_name(run)
    with files.alone_at(record):
        found = _read(record)
        if found is not None and found["run"] not in (run, take_over):
            raise PeerError(_held(record, found), held_by=found["holder"], held_run=found["run"])
        if found is not None and found["run"] != run and found.get("proven"):
            _close(record, found, keep=None)  # what that run made was shown to work, and it is what this one goes back to
            found = None
        known = dict(found["files"]) if found is not None else {}
        mine = set(known) if found is not None and found["run"] == run else set()  # a member with the same keystore has begun already
        for path in paths:
            if path in expected and path not in mine and _sha256(path) != expected[path]:
                raise PeerError(
                    f"{path} was changed after this run had looked at it. Nothing was changed here: run it again, and it plans anew.",
                    path=path,
                )
        for path in [*known, *paths]:
            if path not in mine and (path not in known or not _is_kept(path, known[path])):
                known[path] = _keep(path)
        continues = list(found["continues"]) if found is not None else []
        if found is not None and found["run"] != run:
            continues.append(found["run"])
        content = {"run": run, "continues": continues, "holder": dict(holder), "since": _now(), "files": known}
        _write(record, content)
    return continues


def prove(record: str, run: str) -> bool:
    """Write down that the system was shown to work with what *run* made of it; False when it has no transaction open here.

    Whoever takes it over, should *run* die before it ends, goes back to that, and not to what was before.
    """
    with files.alone_at(record):
        found = _read(record)
        if found is None or found["run"] != run:
            return False
        _write(record, {**found, "proven": True})
        return True


def roll_back(record: str, run: str, *, loaded: bool) -> list[Restored]:
    """Put every file of the transaction back to what it was before; none when *run* has none open here.

    With *loaded*, running processes may have read what is undone: files get the present time, so that it shows that those must
    be restarted. Without, they keep the time that they had. What the run had made of a file is kept beside it.
    """
    with files.alone_at(record):
        found = _read(record)
        if found is None or found["run"] != run:
            return []
        return [_restore(path, kept, loaded=loaded) for path, kept in found["files"].items()]


def end(record: str, run: str, *, keep: int) -> bool:
    """Close the transaction of *run*, and remove the copies of all but the last *keep* runs; False when it has none open here."""
    with files.alone_at(record):
        found = _read(record)
        if found is None or found["run"] != run:
            return False
        _close(record, found, keep=keep)
        return True


def _close(record: str, found: Mapping[str, Any], *, keep: int | None) -> None:
    """Give the copies their run's name; with *keep*, only those of so many runs stay."""
    run = found["run"]
    for target in map(os.path.realpath, found["files"]):
        for suffix in (_BEFORE, _UNDONE):
            with contextlib.suppress(FileNotFoundError):
                os.replace(target + suffix, copy_of(target, run, suffix))
        if keep is not None:
            prune(target, keep, spare=[run] if keep else [])
    os.unlink(record)


def _write(record: str, content: Mapping[str, Any]) -> None:
    files.write_atomically(record, (json.dumps(content, indent=2) + "\n").encode())


def copy_of(path: str, run: str, suffix: str = _BEFORE) -> str:
    """Where the file at *path* is kept as it was before *run*, once that run has ended."""
    _check_name(run)
    return f"{path}.{run}{suffix}"


def _check_name(run: str) -> None:
    """A run's name becomes a part of a path."""
    if not RUN_NAME.fullmatch(run):
        raise InputError(f"'{run}' is no name of a run: it is written like 20260131T235959Z-0123abcd.")


def prune(target: str, keep: int, *, spare: Collection[str] = ()) -> None:
    """Remove the copies of a file that are older than those of the last *keep* runs, but for those of the runs in *spare*.

    Runs are told apart by their names, which begin with the controller's time: a clock that was wrong must not cost the copy
    that is needed now.
    """
    directory, name = os.path.split(target)
    copies: dict[str, list[str]] = {}
    for item in os.listdir(directory) if os.path.isdir(directory) else ():
        for suffix in (_BEFORE, _UNDONE):
            run = item[len(name) + 1 : -len(suffix)]
            if RUN_NAME.fullmatch(run) and item == copy_of(name, run, suffix):
                copies.setdefault(run, []).append(os.path.join(directory, item))
    for run in sorted(set(copies) - set(spare), reverse=True)[max(keep - len(set(copies) & set(spare)), 0) :]:
        for copy in copies[run]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copy)


def _held(record: str, found: Mapping[str, Any]) -> str:
    holder = found["holder"]
    return (
        f"Another run ({found['run']}, {holder.get('user')} on {holder.get('host')}, process {holder.get('pid')}) has been changing this "
        f"member since {found['since']}. Nothing was changed here. Wait until it has ended and run this again; if you know that it is "
        f"dead, run this with -e mtls_take_over={found['run']} (what holds the member is {record})."
    )


def _read(record: str) -> dict[str, Any] | None:
    try:
        descriptor = os.open(record, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as stream:
        owner, content = os.fstat(descriptor).st_uid, stream.read(_MOST_BYTES)
    if owner not in (os.geteuid(), 0):  # it names files that are moved: somebody else could have named any
        raise PeerError(f"{record} belongs to another user than the one that this runs as: run it as that user (become_user).", path=record)
    try:
        found = json.loads(content)
        readable = isinstance(found["continues"], list) and isinstance(found["since"], str)
        if readable and RUN_NAME.fullmatch(found["run"]) and isinstance(found["holder"], dict) and isinstance(found["files"], dict):
            return dict(found)
    except (ValueError, TypeError, KeyError):
        pass
    raise PeerError(f"{record}, where a run says that it is changing this member, cannot be read: look at it, and remove it.", path=record)


def _is_kept(path: str, kept: Mapping[str, Any]) -> bool:
    """Whether the file can still be put back; a run that died while it did so may have used its copy up."""
    return kept["sha256"] is None or _sha256(os.path.realpath(path) + _BEFORE) == kept["sha256"]


def _keep(path: str) -> dict[str, Any]:
    """Copy the file to where it can be put back from, and say what it was."""
    target = os.path.realpath(path)
    content = files.read_if_present(target)
    if content is None:
        return {"sha256": None}
    original = os.stat(target)
    files.write_copy(target + _BEFORE, content, original)
    return {"sha256": hashlib.sha256(content).hexdigest(), "mode": original.st_mode & 0o7777, "modified": original.st_mtime_ns}


def _restore(path: str, kept: Mapping[str, Any], *, loaded: bool) -> Restored:
    """One file as it was. It needs no space on the disk, and whenever it is killed it can be done again."""
    target = os.path.realpath(path)
    before, undone = target + _BEFORE, target + _UNDONE
    if _sha256(target) == kept["sha256"]:
        return Restored(path, "none")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(undone)  # of an attempt that was killed: a link to the same file would not be moved over it
    if kept["sha256"] is None:
        os.replace(target, undone)
        return Restored(path, "set_aside", undone)
    modified = time.time_ns() if loaded else kept["modified"]
    if not _prepare(before, kept, modified):
        raise PeerError(f"{path} cannot be put back: {before} is gone, or is not what was kept there.", path=path)
    with contextlib.suppress(OSError):  # there is no such file any more, or the file system knows no links
        os.link(target, undone)
    os.replace(before, target)
    return Restored(path, "restored", undone if os.path.exists(undone) else None)


def _prepare(before: str, kept: Mapping[str, Any], modified: int) -> bool:
    """Make the copy as readable as what it replaces, and as old; False when it is not what was kept there.

    One descriptor for all of it: who may write into the directory could put a link there meanwhile.
    """
    try:
        descriptor = os.open(before, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with open(descriptor, "rb") as stream:
        if hashlib.sha256(stream.read()).hexdigest() != kept["sha256"]:
            return False
        os.fchmod(descriptor, kept["mode"])
        os.utime(descriptor, ns=(modified, modified))
    return True


def _sha256(path: str) -> str | None:
    content = files.read_if_present(path)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
