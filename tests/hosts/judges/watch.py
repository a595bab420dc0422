# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others on a host could see while something runs on it: every command line, and what is in a directory.

`watch.py start DIRECTORY` starts both watches under systemd; what they saw is in /run/watch, which only root can read:

- `argv`: each command line of any process, sampled some thirty times a second, one a line;
- `files`: one JSON object for each time that a file was made, written, moved in or changed its mode in DIRECTORY: its name, its mode,
  and whether the user nobody, who is woken by the kernel (inotify), could read it.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

SEEN = Path("/run/watch")
#: How long between two looks at all command lines, in seconds.
EVERY = 0.03
#: A process that was there at two looks which are so many apart is old.
OLD_EVERY = 20
_MODIFY, _ATTRIB, _MOVED_TO, _CREATE = 0x2, 0x4, 0x80, 0x100  # <sys/inotify.h>


def start(directory: str) -> None:
    """Both watches as services, until the host stops."""
    SEEN.mkdir(mode=0o711)
    for name, owner in (("argv", "root"), ("files", "nobody")):
        path = SEEN / name
        path.touch(mode=0o600)
        service = ["systemd-run", "--quiet", f"--unit=watch-{name}", f"--uid={owner}", f"--property=StandardOutput=append:{path}"]
        subprocess.run([*service, sys.executable, os.path.abspath(__file__), name, directory], check=True)


def argv() -> None:
    """Print each command line once."""
    known: set[bytes] = set()
    old: set[str] = set()
    before: set[str] = set()
    own = str(os.getpid())
    for look in itertools.count():
        there = {process for process in os.listdir("/proc") if process.isdigit()} - {own}
        # A program takes another's place soon after its process began, or hardly ever: those that are old are looked at now and then.
        for process in there - old if look % OLD_EVERY else there:
            with contextlib.suppress(OSError), open(f"/proc/{process}/cmdline", "rb", buffering=0) as shown:
                line = shown.read().replace(b"\0", b" ").replace(b"\n", b" ")
                if line not in known:
                    known.add(line)
                    sys.stdout.buffer.write(line + b"\n")
                    sys.stdout.buffer.flush()
        if look % OLD_EVERY == 0:
            old, before = there & before, there
        time.sleep(EVERY)


def files(directory: str) -> None:
    """Print what can be seen of each file in *directory* whenever something happens to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init()
    if descriptor < 0 or libc.inotify_add_watch(descriptor, directory.encode(), _MODIFY | _ATTRIB | _MOVED_TO | _CREATE) < 0:
        raise OSError(ctypes.get_errno(), "inotify cannot watch", directory)
    while True:
        events, position = os.read(descriptor, 65536), 0
        while position < len(events):
            _watch, _mask, _cookie, length = struct.unpack_from("iIII", events, position)
            name = events[position + 16 : position + 16 + length].rstrip(b"\0").decode()
            position += 16 + length
            path = Path(directory, name)
            with contextlib.suppress(FileNotFoundError):
                mode = path.lstat().st_mode & 0o777
                print(json.dumps({"name": name, "mode": oct(mode), "readable": os.access(path, os.R_OK)}), flush=True)


if __name__ == "__main__":
    {"start": start, "argv": lambda _directory: argv(), "files": files}[sys.argv[1]](sys.argv[2])
