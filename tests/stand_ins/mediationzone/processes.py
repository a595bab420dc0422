# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, stopping and judging the processes of one container, with the exit codes of the product's manual (README.md)."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from mediationzone.layout import Layout

RUNNING = "running"
NOT_RUNNING = "not running"
NOT_RESPONDING = "not responding but process running"
NO_CONTACT = "running without contact with the platform RCP service"

JVM_FAILED = 1
TIMED_OUT = 102
CRITICAL_ERROR = 104
STOP_FAILED = 4
STALE_SECONDS = 3.0
DEGRADED_TEXT = "Started with errors, Only Codeserver service is guaranteed to be running."


class Process:
    """One pico of this container, seen from mzsh."""

    def __init__(self, home: Path, container: str, pico: str) -> None:
        self.layout = Layout(home)
        self.container = container
        self.pico = pico

    def pid(self) -> int | None:
        """The process id while the process lives. A recycled number or a zombie that nobody reaped is no pico."""
        try:
            number = int(self.layout.pid(self.pico).read_text(encoding="ascii"))
            words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (OSError, ValueError, IndexError):
            return None
        ours = str(self.layout.home).encode() in words and self.pico.encode() in words
        return number if ours and state not in ("Z", "X") else None

    def state(self) -> str:
        if self.pid() is None:
            return NOT_RUNNING
        path = self.layout.counters(self.pico)
        try:
            age = time.time() - path.stat().st_mtime
            counters = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return NOT_RESPONDING
        if counters["state"] != "up" or age > STALE_SECONDS:
            return NOT_RESPONDING
        return NO_CONTACT if counters["connected"] is False else RUNNING

    def start(self, overrides: dict[str, str]) -> tuple[int, str]:
        """Start and wait until the pico reports up. Exit code and a sentence."""
        if self.pid() is not None:
            return 0, f"{self.pico} is already started"
        degraded = self.pico in os.environ.get("MZ_STANDIN_DEGRADED", "").split(",")
        reader, writer = os.pipe()
        command = [sys.executable, str(self.layout.code / "pico.py"), "--pico", self.pico, "--container", self.container]
        command += ["--home", str(self.layout.home), "--report-fd", str(writer), *(["--degraded"] if degraded else [])]
        with open(self.layout.log(self.pico), "ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=[writer], start_new_session=True, cwd=self.layout.home
            )
        os.close(writer)
        if child.stdin:
            child.stdin.write(json.dumps(overrides).encode())
            child.stdin.close()
        word, _blank, reason = self._report(reader).partition(" ")
        if word == "UP":
            return 0, DEGRADED_TEXT if degraded else f"{self.pico} started"
        if word == "ERROR":
            child.wait()
            return CRITICAL_ERROR, f"{self.pico}: {reason}"
        if word == "TIMEOUT":
            child.kill()
            child.wait()
            return TIMED_OUT, f"{self.pico}: no callback in time; see {self.layout.log(self.pico)}"
        child.wait()
        return JVM_FAILED, f"{self.pico}: the process ended with code {child.returncode}; see {self.layout.log(self.pico)}"

    @staticmethod
    def _report(reader: int) -> str:
        """The pico's first line; `TIMEOUT`, or empty when it died without a word."""
        deadline = time.monotonic() + float(os.environ.get("MZ_STANDIN_STARTUP_TIMEOUT", "20"))
        text = b""
        with os.fdopen(reader, "rb", buffering=0) as stream:
            while not text.endswith(b"\n"):
                ready, _writers, _errors = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
                if not ready:
                    return "TIMEOUT"
                part = stream.read(4096)
                if not part:
                    break
                text += part
        return text.decode().strip()

    def stop(self, *, hard: bool) -> bool:
        """Ask the pico to end (or end it) and wait until it is gone. False when it is still there."""
        number = self.pid()
        if number is None:
            return True
        deadline = time.monotonic() + float(os.environ.get("MZ_STANDIN_SHUTDOWN_TIMEOUT", "20"))
        try:
            os.kill(number, signal.SIGKILL if hard else signal.SIGTERM)
        except ProcessLookupError:
            return True
        while self.pid() == number:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        if hard:
            self.layout.pid(self.pico).unlink(missing_ok=True)
        return True
