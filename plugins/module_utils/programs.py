# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs of a product or a distribution: within a time, with nothing to wait for, and with secrets on no command line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Callable, Optional, Union

from ansible_collections.mutual.tls.plugins.module_utils.errors import DependencyError, PeerError

#: A program to run: (argv, standard input or None, seconds) -> (exit code, standard output, standard error).
#: Raises TimeoutError when it had to be ended, FileNotFoundError or PermissionError when it cannot be started.
#: An argument of bytes is the content of a file, which the program finds under another name.
Run = Callable[[Sequence[Union[str, bytes]], Optional[str], float], "tuple[int, str, str]"]


def started(run: Run, argv: Sequence[str | bytes], stdin: str | None, timeout: float) -> tuple[int, str, str]:
    """Run *argv* with *run*; that it cannot be started is a DependencyError, that it does not end a PeerError. Neither repeats argv[1:]."""
    program = str(argv[0])
    try:
        return run(argv, stdin, timeout)
    except TimeoutError:
        raise PeerError(f"'{program}' did not finish within {timeout:g} s and was ended.") from None
    except FileNotFoundError:
        raise DependencyError(f"There is no program '{program}' on this host.") from None
    except PermissionError:
        raise DependencyError(f"The program '{program}' may not be run by this user; become the user that owns it (become_user).") from None
    except OSError as error:
        raise DependencyError(f"The program '{program}' cannot be run: {error.strerror}.") from None


def run_program(argv: Sequence[str | bytes], stdin: str | None, timeout: float) -> tuple[int, str, str]:
    """The Run that runs programs for real.

    AnsibleModule.run_command knows no time limit, leaves the module's own standard input open to a program that asks, and
    expands ``$`` in arguments. Here: an empty standard input unless one is given, arguments as they are, and a limit, after which
    the program and what it started is ended. Output goes through files, because a daemon that inherits it would keep a pipe open.
    What is bytes in *argv* is in memory, and the program is given its name under /dev/fd: it is on no disk and no command line.
    """
    with contextlib.ExitStack() as opened:
        return _run([each if isinstance(each, str) else _in_memory(each, opened) for each in argv], stdin, timeout)


def _in_memory(content: bytes, opened: contextlib.ExitStack) -> int:
    """A file that is in memory only, and is closed with *opened*. A pipe would not do: some programs read from where they like."""
    descriptor = os.memfd_create("mutual.tls")
    opened.callback(os.close, descriptor)
    os.write(descriptor, content)
    return descriptor


def _run(argv: Sequence[str | int], stdin: str | None, timeout: float) -> tuple[int, str, str]:
    """Run a program to which the descriptors in *argv* are handed on, by their names."""
    environment = dict(os.environ, LANG="C.UTF-8", LC_ALL="C.UTF-8")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with subprocess.Popen(
            [os.fsencode(each if isinstance(each, str) else f"/dev/fd/{each}") for each in argv],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=environment,
            pass_fds=[each for each in argv if isinstance(each, int)],
            start_new_session=True,
        ) as process:
            try:
                process.communicate(None if stdin is None else stdin.encode("utf-8", "surrogateescape"), timeout=timeout)
            except subprocess.TimeoutExpired:
                _end(process)
                raise TimeoutError(f"{argv[0]} ran longer than {timeout:g} s") from None
            except BaseException:
                _end(process)
                raise
        out.seek(0)
        err.seek(0)
        return process.returncode, out.read().decode("utf-8", "replace"), err.read().decode("utf-8", "replace")


def words(*outputs: str, lines: int = 8) -> str:
    """What a program said: the last *lines* lines of the first of *outputs* that says anything."""
    for output in outputs:
        said = [line.strip() for line in output.splitlines() if line.strip()]
        if said:
            return " / ".join(said[-lines:])
    return "(it said nothing)"


def scrubbed(text: str, *secrets: str) -> str:
    """*text* with "(hidden)" in place of *secrets*."""
    for secret in sorted((secret for secret in secrets if secret), key=len, reverse=True):
        text = text.replace(secret, "(hidden)")
    return text


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)  # its own session, so its group has its number
        try:
            process.wait(timeout=5)
            return
        except subprocess.TimeoutExpired:
            continue
