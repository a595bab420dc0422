# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser, Chromium without a screen, as one person uses it: a home with certificates, and pages that it is sent to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = shutil.which("chromium") if shutil.which("pk12util") and shutil.which("unshare") else None
_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
#: Which certificate to present is asked in a dialog, or said by the machine's administrator: here to this browser alone.
_WITH_POLICIES = 'mount --bind "$1" /etc/chromium && shift && exec "$@"'


@dataclass
class Browser:
    """One person's browser."""

    home: Path

    @property
    def _database(self) -> str:
        return f"sql:{self.home / '.pki' / 'nssdb'}"

    def start(self, server_ca: Path) -> None:
        """Make the person's home, where the servers' CA is trusted for web sites."""
        (self.home / ".pki" / "nssdb").mkdir(parents=True)
        self._call("certutil", "-d", self._database, "-N", "--empty-password")
        self.trust(server_ca)

    def trust(self, server_ca: Path) -> None:
        """Trust a CA for web sites, and none that was trusted before."""
        if "servers" in self._call("certutil", "-d", self._database, "-L"):
            self._call("certutil", "-d", self._database, "-D", "-n", "servers")
        self._call("certutil", "-d", self._database, "-A", "-t", "C,,", "-n", "servers", "-i", str(server_ca))

    def install(self, bundle: Path, password: str) -> None:
        """Import a bundle as the person does. Raises CalledProcessError for a wrong password."""
        path = self.home / "password"
        path.touch(0o600)
        path.write_text(password, encoding="ascii")
        try:
            self._call("pk12util", "-d", self._database, "-i", str(bundle), "-w", str(path), "-K", "")
        finally:
            path.unlink()

    def uninstall(self, nickname: str) -> None:
        """Delete a certificate and its key."""
        self._call("certutil", "-d", self._database, "-F", "-n", nickname)

    def page(self, url: str) -> str:
        """What the page says, as the browser has it in memory."""
        return self._browse(url, "--dump-dom")

    def screenshot(self, url: str, path: Path, width: int, height: int) -> None:
        """A picture of the page."""
        self._browse(url, f"--screenshot={path}", f"--window-size={width},{height}")

    def _browse(self, url: str, *options: str) -> str:
        policy = {"AutoSelectCertificateForUrls": [json.dumps({"pattern": url, "filter": {}})]}
        managed = self.home / "policies" / "policies" / "managed"
        managed.mkdir(parents=True, exist_ok=True)
        (managed / "test.json").write_text(json.dumps(policy), encoding="utf-8")
        assert CHROMIUM is not None
        unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        with tempfile.TemporaryDirectory(dir=self.home) as profile:
            command = [*unshare, "sh", "-c", _WITH_POLICIES, "sh", str(self.home / "policies"), CHROMIUM, *_OPTIONS]
            return self._call(*command, f"--user-data-dir={profile}", *options, url, seconds=60)

    def _call(self, *command: str, seconds: float = 30) -> str:
        environment = {**os.environ, "HOME": str(self.home)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=seconds)
        return done.stdout
