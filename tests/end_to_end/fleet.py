# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on loopback addresses for one test file: an inventory, and playbooks run on it."""

from __future__ import annotations

import json
import os
import pty
import re
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
#: Where the connection plugin is that can be cut.
CONNECTIONS = Path(__file__).parent / "connections"
#: A part of the password that no quoting changes; another in each process, whose command lines others watch.
WORD = f"$word{os.getpid()}"
#: Everything that breaks when a password goes through a shell, a template or a properties file unquoted.
PASSWORD = f'it\'s a "pass" {WORD} !\\ {{x}} #1'
#: The wishes of a system whose certificates an authority of its own signs.
OWN_AUTHORITY = {
    "mtls_trust_model": "authority",
    "mtls_authority_path": "{{ inventory_dir }}/authority",
    "mtls_authority_passphrase": "not the $word of stores",
    "mtls_key_type": "EC",
}
#: A line of what a terminal shows of one-time passwords.
_ONE_TIME = re.compile(r"^  (\S+) +([a-z2-9]{4}(?:-[a-z2-9]{4}){5})\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook."""

    code: int
    output: str
    #: member -> recap counter -> number
    recap: dict[str, dict[str, int]]

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all members."""
        return sum(counters["changed"] for counters in self.recap.values())

    @property
    def words(self) -> str:
        """What it printed, however that was wrapped."""
        return " ".join(self.output.split())


def passed(run: Run) -> Run:
    """The same run, in which nothing failed."""
    assert run.code == 0, run.output[-6000:]
    return run


def one_time(shown: str) -> dict[str, str]:
    """Person -> one-time password, of what a terminal showed."""
    return dict(_ONE_TIME.findall(shown))


def new_network() -> str:
    """The second and third number of addresses 127.x.y.n, others for each system, so that runs may overlap."""
    return f"{64 + secrets.randbelow(150)}.{secrets.randbelow(250)}"


def liar(root: Path, **facts: Any) -> Path:
    """A Python for a host that adds to each answer what only the inventory may say."""
    path = root / "lying_python"
    path.write_text(
        f"""#!{sys.executable}
import json, subprocess, sys
done = subprocess.run([{sys.executable!r}, *sys.argv[1:]], capture_output=True)
said = done.stdout
if said.startswith(b"\\n{{") or said.startswith(b"{{"):
    said = json.dumps({{**json.loads(said), "ansible_facts": {facts!r}, "add_host": {{"host_name": "ec9", "groups": ["mtls"]}}}}).encode()
sys.stdout.buffer.write(said)
sys.stderr.buffer.write(done.stderr)
sys.exit(done.returncode)
""",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


@dataclass
class Fleet:
    """Hosts that playbooks are run on."""

    root: Path
    #: The second and third number of its addresses, 127.x.y.n.
    network: str
    variables: dict[str, Any] = field(default_factory=dict)
    #: Member -> its kind.
    kinds: dict[str, str] = field(default_factory=dict)
    #: Those of them that the inventory does not name.
    unnamed: tuple[str, ...] = ()

    @property
    def addresses(self) -> dict[str, str]:
        """Member -> its address."""
        return {name: f"127.{self.network}.{number}" for number, name in enumerate(self.kinds, start=11)}

    def host(self, name: str) -> dict[str, Any]:
        """The inventory's entry of one member."""
        return {"mtls_kind": self.kinds[name], "mtls_address": self.addresses[name], "mtls_source_address": self.addresses[name]}

    def inventory(self, hosts: dict[str, dict[str, Any]] | None = None) -> Path:
        """Write the inventory; *hosts* adds to, or replaces, variables of single members."""
        entries = {name: {**self.host(name), **(hosts or {}).get(name, {})} for name in self.kinds if name not in self.unnamed}
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_pipelining": True,
            "mtls_keystore_password": PASSWORD,
            "mtls_subject_alt_name": ["IP:{{ mtls_address }}"],
            **self.variables,
        }
        path = self.root / "inventory.json"
        path.write_text(json.dumps({"mtls": {"hosts": entries, "vars": variables}}), encoding="utf-8")
        return path

    def play(
        self,
        playbook: str,
        *options: str,
        hosts: dict[str, dict[str, Any]] | None = None,
        extra: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
    ) -> Run:
        """Run a playbook of the collection on the system."""
        command = self.command(playbook, *options, hosts=hosts, extra=extra)
        done = subprocess.run(command, cwd=self.root, env=self.environment(env), capture_output=True, text=True, check=False, timeout=600)
        return Run(done.returncode, done.stdout + done.stderr, _recap(done.stdout))

    def play_at_terminal(
        self, playbook: str, *options: str, extra: dict[str, Any] | None = None, env: dict[str, str] | None = None
    ) -> tuple[Run, str]:
        """Run a playbook whose error output goes to a terminal; the run, and what that terminal showed."""
        manager, terminal = pty.openpty()
        shown: list[bytes] = []
        reader = threading.Thread(target=_read_terminal, args=(manager, shown), daemon=True)
        reader.start()
        command = self.command(playbook, *options, extra=extra)
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=self.environment(env),
                stdout=subprocess.PIPE,
                stderr=terminal,
                text=True,
                check=False,
                timeout=600,
            )
        finally:
            os.close(terminal)
        reader.join(10)
        os.close(manager)
        return Run(done.returncode, done.stdout, _recap(done.stdout)), b"".join(shown).decode("utf-8", "replace")

    def command(
        self, playbook: str, *options: str, hosts: dict[str, dict[str, Any]] | None = None, extra: dict[str, Any] | None = None
    ) -> list[str]:
        """The command line that play() runs."""
        given = ["--extra-vars", json.dumps(extra)] if extra else []
        return [str(BIN / "ansible-playbook"), f"mutual.tls.{playbook}", "-i", str(self.inventory(hosts)), *given, *options]

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """What Ansible runs in: nothing of the user's own configuration."""
        return {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(self.root / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_CONNECTION_PLUGINS": str(CONNECTIONS),
            **(more or {}),
        }


def _recap(output: str) -> dict[str, dict[str, int]]:
    """The last lines of a run: member -> counter -> number."""
    return {
        found["member"]: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", found["counters"])}
        for found in re.finditer(r"^(?P<member>\S+)\s+: (?P<counters>ok=.*)$", output, re.MULTILINE)
    }


def _read_terminal(manager: int, shown: list[bytes]) -> None:
    """What a terminal shows until everybody has closed it."""
    while True:
        try:
            data = os.read(manager, 65536)
        except OSError:
            return
        if not data:
            return
        shown.append(data)
