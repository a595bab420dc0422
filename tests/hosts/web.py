# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What those get from a gateway who come to it: curl with a keystore or with somebody's bundle, and NSS's client as a desktop's browser.

A refusal is an answer, too: whatever the program says is returned.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from system import System

#: A desktop's keystore, and the database of its user's browsers.
KEYSTORE = "/home/desktop/mediationzone/desktop.p12"
DATABASE = "/home/desktop/.pki/nssdb"
#: What nginx says to who is refused: somebody without a certificate, somebody revoked or of a CA that it does not trust.
NONE_SENT = "No required SSL certificate was sent"
NOT_ACCEPTED = "The SSL certificate error"


def without_certificate(system: System, client: str, gateway: str, path: str = "/", *options: str) -> str:
    """What curl on *client* gets; it does not know the server either."""
    command = ["curl", "--silent", "--show-error", "--insecure", *options, f"https://{system.address(gateway)}{path}"]
    return system.host(client).run(" ".join(["%s"] * len(command)), *command).stdout


def with_keystore(system: System, client: str, gateway: str, store: str, *options: str) -> str:
    """What curl on *client* gets, with the key of a keystore there, and its CAs."""
    pem = "/run/judge.pem"
    export = f"umask 077; openssl pkcs12 -in {store} -passin env:PASSWORD -nodes -out {pem}"
    line = f"curl --silent --show-error --cacert {pem} --cert {pem} {' '.join(options)} https://{system.address(gateway)}/; rm -f {pem}"
    return system.with_password(client, f"PASSWORD=$(head -n 1); export PASSWORD; {export} && {line}")


def password(system: System, folder: str = "one_time_passwords") -> str:
    """Alice's one-time password."""
    return (system.ephemeral / folder / "alice.txt").read_text(encoding="ascii").strip()


def with_bundle(system: System, gateway: str, path: str = "/", *options: str, bundle: Path | None = None, word: str | None = None) -> str:
    """What curl gets on the controller with Alice's bundle, and the CA that lies beside it."""
    bundles = system.ephemeral / "bundles"
    command = ["curl", "--silent", "--show-error", "--cacert", str(bundles / "server_ca.crt"), "--config", "-", *options]
    done = subprocess.run(
        [*command, f"https://{system.address(gateway)}{path}"],
        input=f'cert = "{bundle or bundles / "alice.p12"}:{word or password(system)}"\ncert-type = "P12"\n',
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout + done.stderr


def with_browser(system: System, desktop: str, gateway: str, database: str = DATABASE, *options: str) -> str:
    """What NSS's own client gets with the database of the desktop's user; it knows the server by that, too."""
    client = f"timeout 5 tstclnt -d sql:{database} -h {system.address(gateway)} -p 443 -V tls1.2:tls1.3 {' '.join(options)}"
    done = system.host(desktop).run(f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | runuser -u desktop -- {client}")
    return done.stdout + done.stderr
