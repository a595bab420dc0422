# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole system on loopback addresses for one test file: the stand-in's containers, an inventory, and playbooks run on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet import Fleet
from mediationzone.install import install_system, start_system, stop_system
from mediationzone.layout import Layout

if TYPE_CHECKING:
    from continuous import ContinuousClient


@dataclass
class Loopback(Fleet):
    """One Platform, two Execution containers, one service container and two desktops."""

    java_home: Path = Path()
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
        entry = {**super().host(name), "mtls_mediationzone_home": str(self.root / name)}
        return {**entry, "mtls_endpoints": self.endpoints[name]} if name in self.endpoints else entry

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
