# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole system on loopback addresses for one test file: the stand-in's containers, an inventory, and playbooks run on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mediationzone.install import install_system, start_system, stop_system
from mediationzone.layout import Layout

if TYPE_CHECKING:
    from continuous import ContinuousClient

BIN = Path(sys.executable).parent
#: Where the connection plugin is that can be cut.
CONNECTIONS = Path(__file__).parent / "connections"
#: A part of the password that no quoting changes; another in each process, whose command lines others watch.
WORD = f"$word{os.getpid()}"
#: Everything that breaks when a password goes through a shell, a template or a properties file unquoted.
PASSWORD = f'it\'s a "pass" {WORD} !\\ {{x}} #1'


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


@dataclass
class Loopback:
    """One Platform, two Execution containers, one service container and two desktops."""

    root: Path
    #: The second and third number of its addresses, 127.x.y.n.
    network: str
    java_home: Path
    variables: dict[str, Any] = field(default_factory=dict)
    #: Members that this system does not have.
    without: tuple[str, ...] = ()
    #: Who connects to the Platform all the time, while things happen to runs.
    client: ContinuousClient | None = None

    def __post_init__(self) -> None:
        self.kinds = {
            "platform1": "platform",
            "ec1": "execution",
            "ec2": "execution",
            "sc1": "service",
            "desktop1": "client",
            "desktop2": "client",
        }
        for name in self.without:
            del self.kinds[name]
        self.addresses = {name: f"127.{self.network}.{number}" for number, name in enumerate(self.kinds, start=11)}
        self.endpoints = {
            "platform1": [{"name": "platform", "port": 6790}],
            "ec1": [{"name": "ec1", "port": 6791}],
            "ec2": [{"name": "ec2", "port": 6791}],
            "sc1": [{"name": "sc1", "port": 6792}],
        }
        self.endpoints = {name: endpoints for name, endpoints in self.endpoints.items() if name in self.kinds}

    @property
    def system(self) -> dict[str, Any]:
        """The stand-in's description of itself."""
        picos = {"platform": "platform", "execution": "ec", "service": "sc"}
        return {
            "containers": [
                {
                    "name": name,
                    "kind": "platform" if self.kinds[name] == "platform" else "execution",
                    "address": self.addresses[name],
                    "platform_address": self.addresses["platform1"],
                    "picos": [
                        {**endpoint, "kind": picos[self.kinds[name]], **({"web_port": 9000} if name == "platform1" else {})}
                        for endpoint in endpoints
                    ],
                }
                for name, endpoints in self.endpoints.items()
            ]
        }

    def host(self, name: str) -> dict[str, Any]:
        """The inventory's entry of one member."""
        entry: dict[str, Any] = {
            "mtls_kind": self.kinds[name],
            "mtls_address": self.addresses[name],
            "mtls_source_address": self.addresses[name],
            "mtls_mediationzone_home": str(self.root / name),
        }
        return {**entry, "mtls_endpoints": self.endpoints[name]} if name in self.endpoints else entry

    def inventory(self, hosts: dict[str, dict[str, Any]] | None = None) -> Path:
        """Write the inventory; *hosts* adds to, or replaces, variables of single members."""
        entries = {name: {**self.host(name), **(hosts or {}).get(name, {})} for name in self.kinds}
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

    def start(self) -> None:
        """Install the system and start it, without TLS."""
        self.root.mkdir(parents=True, exist_ok=True)
        for name, kind in self.kinds.items():
            if kind == "client":
                (self.root / name).mkdir()
        install_system(self.root, self.system, java_home=str(self.java_home))
        start_system(self.root, self.system)

    def stop(self) -> None:
        """Stop everything."""
        stop_system(self.root, self.system)

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
        done = subprocess.run(command, cwd=self.root, env=self.environment(env), capture_output=True, text=True, check=False, timeout=300)
        recap = {
            found["member"]: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", found["counters"])}
            for found in re.finditer(r"^(?P<member>\S+)\s+: (?P<counters>ok=.*)$", done.stdout, re.MULTILINE)
        }
        return Run(done.returncode, done.stdout + done.stderr, recap)

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

    def store(self, name: str) -> Path:
        """The member's keystore."""
        return self.root / name / "keys"

    def processes(self) -> dict[str, str]:
        """Pico -> process id: another id is a restart."""
        return {
            endpoint["name"]: Layout(self.root / name).pid(endpoint["name"]).read_text(encoding="ascii").split()[0]
            for name, endpoints in self.endpoints.items()
            for endpoint in endpoints
        }

    def files(self) -> dict[str, bytes]:
        """Every file that a run could change: stores, registry, settings; not logs and counters."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for name in self.kinds
            for path in sorted((self.root / name).rglob("*"))
            if path.is_file() and path.name != ".lock" and not {"log", "tmp", "lib"} & set(path.relative_to(self.root / name).parts)
        }
