# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that something happens to, and what the system is afterwards, as it says itself."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from continuous import Attempt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fleet import PASSWORD, WORD
from judges import s_client
from loopback import Loopback

from ansible_collections.mutual.tls.plugins.module_utils import pkcs12
from ansible_collections.mutual.tls.plugins.module_utils.entries import Contents, PrivateKeyEntry, Protection, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.profiles import PROFILES

DAY = datetime.timedelta(days=1)

BEGUN = "TASK [mutual.tls.transaction : See what the member's handshakes come to before the run]"
TRUST = "TASK [mutual.tls.trust : Trust whom the plan names, and nobody that it revokes]"
SETTINGS = "TASK [mutual.tls.client_auth : Set the member's values in the registry]"
RESTARTS = "TASK [mutual.tls.service : MediationZone | Stop, tier by tier]"
STARTS = "TASK [mutual.tls.service : MediationZone | Start, tier by tier]"
ROLLING = "TASK [mutual.tls.service : MediationZone | Restart one process after the other, tier by tier]"
MATRIX = "TASK [mutual.tls.handshake : Make the member's handshakes]"
END = "TASK [mutual.tls.transaction : Keep the member's files no longer at hand]"
UNDO = "TASK [mutual.tls.transaction : Undo | Put the member's files back]"
#: Before the first of these, a run has only added: every connection that worked still does.
FIRST_RESTART = (RESTARTS, ROLLING)


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    output: str
    #: The continuous client's connections before anything was restarted.
    additive: list[Attempt]

    @property
    def last_lines(self) -> str:
        """What is on the screen of somebody who comes back to it, without the recap's table."""
        return "\n".join(self.output.partition("PLAY RECAP")[0].strip().splitlines()[-20:])


def run(
    loopback: Loopback,
    playbook: str = "site",
    *options: str,
    happens: Mapping[str, Callable[[], Any]] | None = None,
    kill_at: str | None = None,
    hosts: dict[str, dict[str, Any]] | None = None,
    works_before: bool = True,
    **extra: Any,
) -> Ended:
    """Run a playbook. *happens* says what is done as soon as a line that holds the key is printed, once each.

    With *kill_at* the run, and all that it started, is killed with SIGKILL at that line. The run stands still meanwhile.
    No connection of the continuous client may fail before the first restart, unless it *works_before* does not hold.
    """
    waiting = dict(happens or {})
    output = []
    begun = time.monotonic()
    added = float("inf")
    command = loopback.command(playbook, *options, hosts=hosts, extra=extra)
    environment = loopback.environment()
    with subprocess.Popen(
        command, cwd=loopback.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if any(words in line for words in FIRST_RESTART):
                added = min(added, time.monotonic())
            if kill_at is not None and kill_at in line:
                os.killpg(process.pid, signal.SIGKILL)
                break
            for words in [words for words in waiting if words in line]:
                os.kill(process.pid, signal.SIGSTOP)  # nothing that comes after this line may begin before it has happened
                waiting.pop(words)()
                os.kill(process.pid, signal.SIGCONT)
    assert not waiting, f"never printed: {list(waiting)}\n{''.join(output)[-3000:]}"
    additive = loopback.client.between(begun, min(added, time.monotonic())) if loopback.client is not None else []
    if works_before and loopback.client is not None:
        failures = [attempt.failure for attempt in additive if attempt.failure is not None]
        assert additive, "nobody connected before the first restart"
        assert not failures, f"of {len(additive)} connections before the first restart these failed: {failures}\n{''.join(output)[-3000:]}"
    return Ended(process.returncode, "".join(output), additive)


def counters(loopback: Loopback, pico: str, container: str | None = None) -> dict[str, Any]:
    """What a pico says of its connection to the Platform; it tries again and again, as long as it runs."""
    content: dict[str, Any] = json.loads((loopback.root / (container or pico) / "tmp" / f"{pico}.counters.json").read_text())
    return content


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def works(loopback: Loopback) -> None:
    """The Execution containers are connected to the Platform, over TLS, and who has no certificate is refused."""
    for pico in ("ec1", "ec2"):
        wait_for(lambda pico=pico: counters(loopback, pico)["connected"], f"{pico} to be connected")
    assert "WELCOME" not in s_client(loopback), "a client without a certificate was let in"


def served(loopback: Loopback, member: str) -> str:
    """The SHA-256 of the certificate that the member's process serves."""
    port = loopback.endpoints[member][0]["port"]
    shown = s_client(loopback, "-showcerts", member=member, port=port)
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", shown, re.DOTALL)
    assert pem is not None, shown
    printed = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=pem[0], capture_output=True, text=True, check=True
    ).stdout
    return printed.partition("=")[2].strip().replace(":", "").lower()


def audit(loopback: Loopback) -> list[dict[str, Any]]:
    """What the runs wrote down, a line each."""
    text = (loopback.root / "mutual_tls_audit.jsonl").read_text(encoding="utf-8")
    assert PASSWORD not in text and WORD not in text and "PRIVATE" not in text
    return [json.loads(line) for line in text.splitlines()]


def converges(loopback: Loopback, *, works_before: bool = True, **options: Any) -> None:
    """A plain run brings the system to its wishes, and a further one changes and restarts nothing."""
    again = run(loopback, works_before=works_before, **options)
    assert again.code == 0, again.output[-4000:]
    works(loopback)
    before = loopback.processes()
    further = loopback.play("site", hosts=options.pop("hosts", None), extra=options)
    assert (further.code, further.changed) == (0, 0), further.output[-4000:]
    assert loopback.processes() == before
    assert not list(loopback.root.glob("*/keys.transaction")), "a transaction was left open"
    first, second = [line["outcome"] for line in audit(loopback)[-2:]]
    assert (first in ("changed", "unchanged"), second) == (True, "unchanged")


def is_as_before(loopback: Loopback, certificates: dict[str, str], ended: Ended) -> None:
    """The run failed, and the system works with the certificates that it had."""
    assert ended.code != 0
    assert "This run failed and was undone: the system is as it was before." in ended.last_lines, ended.output[-6000:]
    works(loopback)
    assert {name: served(loopback, name) for name in loopback.endpoints} == certificates


def override(loopback: Loopback, member: str, **settings: str) -> Path:
    """A file with settings of one container that its pico takes before those of the registry."""
    path = loopback.root / member / "etc" / "zz_override.properties"
    path.write_text("".join(f"{name.replace('__', '.')}={value}\n" for name, value in settings.items()), encoding="utf-8")
    return path


def no_override(loopback: Loopback, member: str) -> None:
    """Take it away again."""
    (loopback.root / member / "etc" / "zz_override.properties").unlink()


def wired(loopback: Loopback, member: str) -> tuple[dict[str, dict[str, Any]], Path]:
    """Inventory variables with which the member's host can be cut off, and the file that does it."""
    cut = loopback.root / f"{member}.cut"
    return {member: {"ansible_connection": "cut", "cut_file": str(cut)}}, cut


def made(name: str, *, ended: datetime.timedelta | None = None) -> PrivateKeyEntry:
    """A new key with a certificate of its own, which ended that long ago, or ends tomorrow."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    end = datetime.datetime.now(datetime.timezone.utc) + (DAY if ended is None else -ended)
    certificate = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number(), end - 100 * DAY, end)
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return PrivateKeyEntry(name, pkcs8, (certificate.sign(key, hashes.SHA256()).public_bytes(Encoding.DER),), None)


def put(path: Path, *entries: PrivateKeyEntry | TrustedCertEntry) -> None:
    """Put another store in the file's place, under the same password."""
    contents = Contents(entries, Protection())
    path.write_bytes(pkcs12.write(contents, PASSWORD, PROFILES["default"].protection, now=int(time.time() * 1000)))
