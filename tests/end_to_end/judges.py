# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outside judges say of the system: keytool of its stores, openssl of its endpoints, and the matrix of the last run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from fleet import PASSWORD
from loopback import Loopback

_PATH = "/usr/local/bin:/usr/bin:/bin"


def matrix(loopback: Loopback) -> list[dict[str, Any]]:
    """The matrix that the last run wrote."""
    rows: list[dict[str, Any]] = json.loads((loopback.root / "matrix.json").read_text(encoding="utf-8"))["links"]
    return rows


def outcomes(loopback: Loopback) -> set[tuple[str, str, str]]:
    """(client, server, outcome) of each row of the matrix."""
    return {(row["client"], row["server"], row["outcome"]) for row in matrix(loopback)}


def keytool_entries(keytool: Path, store: Path, password: str = PASSWORD) -> dict[str, str]:
    """Alias -> kind, as keytool lists the store."""
    listed = subprocess.run(
        [str(keytool), "-list", "-keystore", str(store), "-storepass:env", "PASSWORD"],
        env={"PASSWORD": password},
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(re.findall(r"^([^,\n]+), .*, (PrivateKeyEntry|trustedCertEntry),", listed.stdout, re.MULTILINE))


def openssl(*arguments: str, text: str = "") -> str:
    """What openssl prints, with the stores' password in the environment variable PASSWORD."""
    done = subprocess.run(
        ["openssl", *arguments],
        env={"PASSWORD": PASSWORD, "PATH": _PATH},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.stdout + done.stderr


def s_client(loopback: Loopback, *options: str, member: str = "platform1", port: int = 6790) -> str:
    """What openssl sees of an endpoint, from outside; it reads after the handshake because TLS 1.3 refuses late."""
    address = f"{loopback.addresses[member]}:{port}"
    return openssl("s_client", "-connect", address, "-ign_eof", *options, text="HELLO probe\nQUIT\n")


def public_key(store: Path) -> str:
    """The public half of the one private key in the store, as openssl extracts it."""
    shown = subprocess.run(
        f"openssl pkcs12 -in '{store}' -passin env:PASSWORD -nodes -nocerts | openssl pkey -pubout",
        shell=True,
        env={"PASSWORD": PASSWORD, "PATH": _PATH},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert shown.count("BEGIN PUBLIC KEY") == 1
    return shown
