# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system on container hosts, as judges see it: root on each host (through testinfra), the playbooks, openssl, keytool and curl."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import testinfra
from testinfra.host import Host

#: What openssl, curl and Java call a refusal for want of a certificate.
REFUSED = r"alert (certificate required|handshake failure|bad certificate)|certificate_required|bad_certificate"
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "hosts"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all members."""
        return sum(int(number) for number in re.findall(r"^\S+\s+: ok=\d+\s+changed=(\d+)", self.output, re.MULTILINE))


@dataclass(frozen=True)
class System:
    """The hosts of one scenario."""

    scenario: Path
    #: Where molecule keeps what belongs to these hosts.
    ephemeral: Path

    @classmethod
    def of_scenario(cls) -> System:
        """The one that molecule runs these tests for."""
        return cls(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]), Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]))

    @cached_property
    def _judges(self) -> dict[str, dict[str, str]]:
        hosts: dict[str, dict[str, str]] = json.loads((self.ephemeral / "judges.json").read_text(encoding="utf-8"))["all"]["hosts"]
        return hosts

    @property
    def password(self) -> str:
        """Everybody's keystore password."""
        return (FOLDER / "keystore_password").read_text(encoding="ascii")

    @property
    def members(self) -> list[str]:
        """All hosts but those outside."""
        return [name for name in self._judges if not name.startswith("outside")]

    @property
    def servers(self) -> dict[str, int]:
        """Member -> port, of those that listen."""
        ports = {"platform": 6790, "ec": 6791, "sc": 6792}
        return {name: ports[name.rstrip("0123456789")] for name in self.members if not name.startswith("desktop")}

    def address(self, name: str) -> str:
        """Where the host is reached."""
        return self._judges[name]["ansible_host"]

    def host(self, name: str) -> Host:
        """The host, as root."""
        return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(self.ephemeral / "judges.json"))

    def home(self, name: str) -> str:
        """The member's MZ_HOME, or the directory of a desktop's keystore."""
        return "/home/desktop/mediationzone" if name.startswith("desktop") else f"/opt/mz/{name}"

    def store(self, name: str) -> str:
        """The member's keystore."""
        return f"{self.home(name)}/{'desktop.p12' if name.startswith('desktop') else 'keys'}"

    def owner(self, name: str) -> str:
        """Whose the keystore is."""
        return "desktop" if name.startswith("desktop") else "mzadmin"

    def arguments(self, playbook: str, *options: str, extra: dict[str, Any] | None = None, inventory: str | None = None) -> list[str]:
        """What comes after `ansible-playbook` to run a playbook of the collection with the scenario's inventory, and another one beside."""
        folders = [ROOT / "molecule" / "shared" / "inventory", self.scenario / "inventory"]
        inventories = [f"--inventory={path}" for path in [*folders, *([self.scenario / inventory] if inventory else [])]]
        given = ["--extra-vars", json.dumps(extra)] if extra else []
        return [f"mutual.tls.{playbook}", *inventories, *given, *options]

    def environment(self) -> dict[str, str]:
        """Environment variables that a run has beside its user's."""
        return {
            "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(self.ephemeral),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_PIPELINING": "1",
        }

    def play(self, playbook: str, *options: str, extra: dict[str, Any] | None = None, inventory: str | None = None) -> Run:
        """Run a playbook of the collection with the scenario's inventory, and another one beside it."""
        command = [str(BIN / "ansible-playbook"), *self.arguments(playbook, *options, extra=extra, inventory=inventory)]
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return Run(done.returncode, done.stdout)

    def arrange(self, *playbooks: str, inventory: Path | None = None) -> None:
        """Create, prepare or destroy the hosts, with the playbooks of molecule's scenarios; *inventory* has them, else the scenario."""
        shared = ROOT / "molecule" / "shared"
        inventories = [f"--inventory={path}" for path in (shared / "inventory", inventory or self.scenario / "inventory")]
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), *inventories, *(str(shared / f"{name}.yml") for name in playbooks)],
            env={**os.environ, **self.environment(), "ANSIBLE_LOCALHOST_WARNING": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-6000:]

    def reboot(self, name: str) -> None:
        """Boot the host once more, and wait until what starts with it has started."""
        container = f"mutual-tls-{os.environ.get('MUTUAL_TLS_HOSTS_SLOT') or '1'}-{name}"
        subprocess.run(["podman", "restart", "--time", "5", container], check=True, capture_output=True)
        deadline = time.monotonic() + 120
        asked = ["podman", "exec", container, "systemctl", "is-system-running", "--wait"]
        # There is nobody to ask yet at first, and then the answer is another one.
        while subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip() not in ("running", "degraded"):
            assert time.monotonic() < deadline, f"{name} does not come up"
            time.sleep(0.2)

    def command_lines(self, name: str) -> str:
        """Every command line that the watch on the host has seen."""
        lines = self.host(name).file("/run/watch/argv").content_string
        assert "python3" in lines, "the watch saw Ansible at work"
        return lines

    def seen(self, name: str) -> list[dict[str, Any]]:
        """What the watch on the host has seen of the files beside the keystore: name, mode, readable (by others)."""
        return [json.loads(line) for line in self.host(name).file("/run/watch/files").content_string.splitlines()]

    def processes(self) -> dict[str, str]:
        """Member -> process id of what listens there: another id is a restart."""
        found = {}
        for name, port in self.servers.items():
            shown = self.host(name).check_output("ss -Hltnp sport = :%s", str(port))
            (found[name],) = set(re.findall(r"pid=(\d+)", shown))
        return found

    def s_client(self, client: str, server: str, *options: str, keystore: str | None = None) -> str:
        """What openssl on *client* sees of *server*, with the key of a PKCS#12 file there if one is given.

        It says a word and reads the answer, because with TLS 1.3 a client learns after its handshake that it was refused.
        """
        address = f"{self.address(server)}:{self.servers[server]}"
        line = f"openssl s_client -connect {address} -ign_eof {shlex.join(options)}"
        if keystore:
            pem = "/run/judge.pem"
            decrypt = f"openssl pkcs12 -in {keystore} -passin env:PASSWORD -nodes -out {pem}"
            line = f"umask 077; {decrypt} && {line} -cert {pem} -key {pem}; rm -f {pem}"
        script = f"PASSWORD=$(head -n 1); export PASSWORD; printf 'HELLO probe\\nQUIT\\n' | ( {line} )"
        # The password comes on standard input, so that it is on no command line that the watch would see.
        return self.with_password(client, script)

    def java(self, client: str, server: str, keystore: str) -> str:
        """What a JVM on *client* gets from *server*, with the identity and the trust of a keystore there."""
        where = f"{self.address(server)} {self.servers[server]}"
        return self.with_password(client, f"java /opt/judges/TlsClient.java {where} {keystore}")

    def keytool(self, name: str, *options: str) -> str:
        """What keytool on the member's host says of its keystore."""
        command = f"/opt/java/bin/keytool {shlex.join(options or ['-list'])} -keystore {self.store(name)} -storepass:env PASSWORD"
        return self.with_password(name, f"PASSWORD=$(head -n 1) {command}")

    def entries(self, name: str) -> dict[str, str]:
        """Alias -> kind of each entry in the member's keystore."""
        return dict(re.findall(r"^(\S+), .*, (PrivateKeyEntry|trustedCertEntry),", self.keytool(name), re.MULTILINE))

    def certificate(self, name: str, alias: str) -> str:
        """The certificate under the alias in the member's keystore, in PEM."""
        exported = self.keytool(name, "-exportcert", "-rfc", "-alias", alias)
        (found,) = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", exported, re.DOTALL)
        return found

    def public_key(self, name: str) -> str:
        """The public half of the one private key in the member's keystore, as openssl extracts it there."""
        extract = f"openssl pkcs12 -in {self.store(name)} -passin env:PASSWORD -nodes -nocerts | openssl pkey -pubout"
        shown = self.with_password(name, f"PASSWORD=$(head -n 1); export PASSWORD; {extract}")
        assert shown.count("BEGIN PUBLIC KEY") == 1, shown
        return shown

    def hand_over(self, name: str, receiver: str, path: str) -> None:
        """Copy a member's keystore to another host, as only a judge may."""
        content = base64.b64encode(self.host(name).file(self.store(name)).content).decode("ascii")
        self.host(receiver).check_output("umask 077; echo %s | base64 -d > %s", content, path)

    def with_password(self, name: str, script: str) -> str:
        """What *script* prints on the host, with the keystores' password as the first line of its input."""
        judge = self._judges[name]
        command = ["ssh", "-i", judge["ansible_ssh_private_key_file"], *shlex.split(judge["ansible_ssh_common_args"])]
        done = subprocess.run(
            [*command, f"root@{judge['ansible_host']}", script],
            input=self.password + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout
