# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`mzsh` of the stand-in: the subcommands, exit codes and oddities that README.md lists with their sources."""

from __future__ import annotations

import os
import pwd
import re
import sys
import time
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from mediationzone import topo as topology
from mediationzone.layout import Layout
from mediationzone.processes import NOT_RESPONDING, NOT_RUNNING, STOP_FAILED, Process
from mediationzone.registry import ACTIVE, Registry, containers, picos
from mediationzone.replica import is_platform, platform_web, refresh

USAGE = "usage: mzsh [user/password] topo|encryptpassword|startup|shutdown|restart|kill|status|pico ...\n"

COLUMNS = (
    "Pico Name (ip:port)",
    "Start Time",
    "Memory (Used, Commited, Max)",
    "Response Time (ms)",
    "Error Status",
    "Marked For Shutdown",
)  # spelled as in the product's manual


class Shell:
    """One call of mzsh in one container."""

    def __init__(self, home: Path, container: str) -> None:
        self.home = home
        self.container = container
        self.registry = Registry(Layout(home).cell)
        self.files = self.registry.load(ACTIVE)
        self.quiet = False

    def say(self, text: str) -> None:
        if not self.quiet:
            sys.stdout.write(f"{text}\n")

    def ask_platform(self, method: str, path: str, body: object = None) -> Any:
        """Raises PlatformAwayError."""
        from mediationzone.web import ask

        host, port, secure = platform_web(self.files, self.home, self.container)
        return ask((host, port), secure, method, path, body)

    # -- topology

    def topo(self, arguments: list[str]) -> int:
        if arguments[:1] == ["container"]:
            self.say(self.container)
            return 0
        code, out, err = self._topo_answer(arguments)
        sys.stdout.write(out)
        sys.stderr.write(err)
        return code

    def _topo_answer(self, arguments: list[str]) -> topology.Answer:
        if is_platform(self.files, self.container):
            return topology.run(arguments, self.registry)
        from mediationzone.web import PlatformAwayError

        try:
            code, out, err = self.ask_platform("POST", "/topo", {"arguments": arguments})
            return code, out, err
        except PlatformAwayError as error:
            if "--allow-disconnected" in arguments:
                return topology.run(arguments, self.registry, cached=True)
            return 1, "", f"mzsh topo: {error}\n"

    # -- processes

    def process(self, name: str) -> Process | None:
        """None for a pico that is not in this container; a pico added at the Platform a moment ago is found."""
        if name not in picos(self.files, self.container) and not is_platform(self.files, self.container):
            refresh(self.home, self.container)
            self.files = self.registry.load(ACTIVE)
        return Process(self.home, self.container, name) if name in picos(self.files, self.container) else None

    def start_one(self, name: str, overrides: dict[str, str]) -> int:
        process = self.process(name)
        if process is None:
            # Seen in the field: success is reported for a pico that does not exist.
            sys.stdout.write(f"{name}: no such server process\n")
            return 0
        code, text = process.start(overrides)
        if code:
            sys.stderr.write(f"{text}\n")
        else:
            self.say(text)
        return code

    def stop_one(self, name: str) -> int:
        process = self.process(name)
        if process is None:
            sys.stderr.write(f"{name}: no such server process\n")
            return 1
        if process.pid() is None:
            self.say(f"{name} is not running")
            return 0
        if not process.stop(hard=False):
            sys.stderr.write(f"{name}: could not be stopped\n")
            return STOP_FAILED
        self.say(f"{name} stopped")
        return 0

    def kill_one(self, name: str) -> int:
        process = self.process(name)
        if process is None or process.pid() is None:
            sys.stderr.write(f"{name} is not running\n")
            return 2
        return 0 if process.stop(hard=True) else STOP_FAILED

    def startup(self, words: list[str]) -> int:
        names, overrides = self._picos_of(words)
        # Sequential; the first failure decides.
        for name in names:
            code = self.start_one(name, overrides)
            if code:
                return code
        return 0

    def shutdown(self, words: list[str]) -> int:
        return max((self.stop_one(name) for name in self._picos_of(words)[0]), default=0)

    def kill(self, words: list[str]) -> int:
        return max((self.kill_one(name) for name in self._picos_of(words)[0]), default=0)

    def restart(self, words: list[str]) -> int:
        names, overrides = self._picos_of(words)
        names = [name for name in names if self.process(name) is not None]
        stopped = sum(self.stop_one(name) for name in reversed(names))
        return stopped + sum(self.start_one(name, overrides) for name in names)

    def status(self, words: list[str]) -> int:
        worst = 0
        for name in self._picos_of(words)[0]:
            process = self.process(name)
            if process is None:
                self.say(f"{name}: no such server process")
                worst = 2
                continue
            state = process.state()
            self.say(f"{name} is {state}" + (f" (pid {process.pid()})" if "-verbose" in words and process.pid() else ""))
            worst = max(worst, {NOT_RUNNING: 2, NOT_RESPONDING: 1}.get(state, 0))
        return worst

    def _picos_of(self, words: list[str]) -> tuple[list[str], dict[str, str]]:
        """Pico names in their order, and the `-e name=value` overrides; -q, -f, -r<#> and -verbose are known."""
        names: list[str] = []
        overrides: dict[str, str] = {}
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "-e" and rest:
                name, _equals, value = rest.pop(0).partition("=")
                overrides[name] = value
            elif word == "-q":
                self.quiet = True
            elif word in ("-f", "-verbose", "-v") or re.fullmatch(r"-r\d+", word):
                continue
            else:
                names.append(word)
        return names, overrides

    # -- the rest

    def encryptpassword(self, words: list[str]) -> int:
        from mediationzone.passwords import encrypt

        password = words[0] if words else None
        if password is None and os.environ.get("MZ_STANDIN_ENCRYPT") != "argument-only":
            password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            sys.stderr.write("mzsh encryptpassword: no password given\n")
            return 1
        sys.stdout.write(encrypt(password) + "\n")
        return 0

    def pico(self, words: list[str]) -> int:
        from mediationzone.web import PlatformAwayError

        if words[:1] not in (["-view"], ["-list"]):
            sys.stderr.write("usage: mzsh pico -view [pico] | -list\n")
            return 1 if words else 0
        if words[0] == "-list":
            for container in containers(self.files):
                for name in picos(self.files, container):
                    self.say(name)
            return 0
        try:
            peers = self.ask_platform("GET", "/picos")
        except PlatformAwayError as error:
            sys.stderr.write(f"mzsh pico: {error}\n")
            return 2
        host = platform_web(self.files, self.home, self.container)[0]
        rows = [COLUMNS]
        for peer in [{"name": "platform", "address": host, "since": None, "connected": True}, *peers]:
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(peer["since"])) if peer["since"] else "-"
            label = f"{peer['name']} ({peer['address']})"
            rows.append((label, since, "-, -, -", "1", "OK" if peer["connected"] else "Connection failure", "false"))
        for row in rows:
            if row is rows[0] or len(words) == 1 or row[0].startswith(f"{words[1]} ("):
                self.say(" | ".join(row))
        return 0


def owner_refusal(home: Path) -> str | None:
    """Only the OS owner of MZ_HOME may work in it, and root is somebody else."""
    owner = home.stat().st_uid
    if owner == os.getuid():
        return None
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    return f"mzsh: only the owner of MZ_HOME ({name}) may run this command\n"


def main(arguments: list[str]) -> int:
    home = Path(os.environ["MZ_HOME"])
    words = list(arguments)
    if words and re.fullmatch(r"[^/\s]+/\S*", words[0]) and not words[0].startswith("-"):
        words.pop(0)
    refusal = owner_refusal(home)
    if refusal:
        sys.stderr.write(refusal)
        return 1
    shell = Shell(home, os.environ["MZ_CONTAINER"])
    commands = {
        name: getattr(shell, name) for name in ("topo", "encryptpassword", "startup", "shutdown", "restart", "kill", "status", "pico")
    }
    if not words or words[0] not in commands:
        sys.stderr.write(USAGE)
        return 1
    return int(commands[words[0]](words[1:]))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(103)
