# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers that hosts are, as the machine that runs them sees them: their names, their processes, their networks."""

from __future__ import annotations

import os
import re
import socket
import subprocess

#: Names and addresses of this run's hosts have it in them, as in molecule/shared/inventory.
SLOT = os.environ.get("MUTUAL_TLS_HOSTS_SLOT") or "1"
NETWORK = f"mutual-tls-{SLOT}"


def called(*command: str, given: str | None = None) -> str:
    """What *command* prints; what it complains of, when it fails."""
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


def container(name: str) -> str:
    """What the host's container is called."""
    return f"{NETWORK}-{name}"


def pid(name: str) -> str:
    """The process id of the host's init, as this machine counts."""
    return called("podman", "inspect", "--format", "{{.State.Pid}}", container(name)).strip()


def in_network_of(name: str, *command: str, given: str | None = None) -> str:
    """What a program of this machine prints, with the host's network in the place of its own: a host may not change it itself."""
    return called("nsenter", "--target", pid(name), "--net", *command, given=given)


def read(name: str, path: str) -> str:
    """A file on the host, also when nothing gets to the host over its network."""
    return called("podman", "exec", container(name), "cat", path)


def port(name: str) -> str:
    """The interface of this machine at the other end of the host's cable."""
    shown = in_network_of(name, "ip", "-oneline", "link", "show", "eth0")
    found = re.search(r"eth0@if(\d+):", shown)
    assert found is not None, shown
    return socket.if_indextoname(int(found[1]))
