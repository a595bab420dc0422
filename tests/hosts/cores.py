# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other releases of ansible-core than .venv's, each in a virtual environment of its own below build/hosts/core, kept between runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from containers import NETWORK, SLOT, called, container
from images import image, podman_run
from system import FOLDER, ROOT, Run, System

#: What pip on this machine is told, it is told in the container too.
HANDED_ON = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "PIP_PROXY", "HTTPS_PROXY", "https_proxy")
#: A package index may be reached through somebody whom only this machine trusts.
BUNDLES = (os.environ.get("PIP_CERT"), ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt")
#: Where the container has them.
BUNDLE = "/run/certificates.crt"


@dataclass(frozen=True)
class Controller:
    """Where playbooks run: this machine, or a container with a newer Python."""

    python: str
    #: The command that another one is put behind to run there.
    prefix: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def call(self, *command: str, environment: dict[str, str] | None = None, timeout: float = 600) -> Run:
        """Run a command there."""
        given = {**self.environment, **(environment or {})}
        line = [*self.prefix, "env", *(f"{name}={value}" for name, value in given.items()), *command]
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=timeout)
        return Run(done.returncode, done.stdout)


#: This machine, with the Python that runs the tests.
HERE = Controller(getattr(sys, "_base_executable", sys.executable))


@contextlib.contextmanager
def contained() -> Iterator[Controller]:
    """A container beside the hosts, which sees this checkout where it is here, and may write to build/hosts only."""
    name = container("controller")
    folders = [f"--volume={ROOT}:{ROOT}:ro", f"--volume={FOLDER}:{FOLDER}"]
    given = {"LC_ALL": "C.UTF-8", **{each: os.environ[each] for each in HANDED_ON if each in os.environ}}
    bundle = next((path for path in BUNDLES if path and Path(path).is_file()), None)
    if bundle is not None:
        folders.append(f"--volume={Path(bundle).resolve()}:{BUNDLE}:ro")
        given.update(PIP_CERT=BUNDLE, SSL_CERT_FILE=BUNDLE)
    remove = ("podman", "rm", "--force", "--ignore", "--time", "0", name)
    called(*remove)
    try:
        # The hour ends it when nobody is left to do so.
        called(*podman_run("--detach", "--name", name, "--network", NETWORK, *folders, image("controller"), "sleep", "3600"))
        yield Controller("/usr/bin/python3", ("podman", "exec", name), given)
    finally:
        called(*remove)


@dataclass(frozen=True)
class Core:
    """A release of ansible-core with the collection, on its controller."""

    release: str
    controller: Controller

    @property
    def folder(self) -> Path:
        """Its virtual environment."""
        return FOLDER / "core" / self.release

    @property
    def environment(self) -> dict[str, str]:
        """It finds the collection that was installed for it, and no other that its user may have."""
        return {"ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections")}

    def version(self) -> str:
        """The first line of `ansible --version`; empty when there is none."""
        seen = self.controller.call(str(self.folder / "bin" / "ansible"), "--version")
        return seen.output.partition("\n")[0] if seen.code == 0 else ""

    def install(self, artefact: Path) -> None:
        """Make the virtual environment, unless it is there, and install the collection into it as a user would, without a network."""
        if not self.version():
            self._done(self.controller.python, "-m", "venv", "--clear", str(self.folder))
            packages = (f"ansible-core~={self.release}.0", "cryptography")
            self._done(str(self.folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
        shutil.rmtree(self.folder / "collections", ignore_errors=True)
        options = ("--offline", "--no-deps", "-p", str(self.folder / "collections"), str(artefact))
        self._done(str(self.folder / "bin" / "ansible-galaxy"), "collection", "install", *options)

    def play(self, system: System, playbook: str, **extra: object) -> Run:
        """Run a playbook of the collection against the hosts."""
        program = str(self.folder / "bin" / "ansible-playbook")
        environment = {**system.environment(), **self.environment, "MUTUAL_TLS_HOSTS_SLOT": SLOT}
        return self.controller.call(program, *system.arguments(playbook, extra=extra), environment=environment)

    def _done(self, *command: str) -> None:
        done = self.controller.call(*command, environment=self.environment)
        assert done.code == 0, f"{' '.join(command)}: {done.output[-4000:]}"
