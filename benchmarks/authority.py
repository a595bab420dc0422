# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an authority takes to sign a thousand requests, and to revoke one certificate of ten thousand.

Each is one execution of the module, in this process: reading the directory, opening the CA's key, writing and answering included.
Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import datetime
import secrets
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.mutual.tls.plugins.module_utils import files, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory
from ansible_collections.mutual.tls.plugins.module_utils.authority.issuing import Outcome, Task, carry_out
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Request, Revocation

WISHES = [AuthorityWish("system", "CN=example system CA")]
#: Seconds for a thousand requests with EC keys, and for a revocation.
SIGNING, REVOKING = 5.0, 1.0
REQUESTS, CERTIFICATES = 1_000, 10_000


def request(number: int) -> Request:
    """The request of one member, with a key of its own."""
    csr = x509.signing_request(x509.generate_key("EC"), x509.parse_name("CN=any"), [])
    names = (f"DNS:ec{number}.example.test",)
    return Request(f"ec{number}", "system", csr, f"CN=ec{number}", names, ("server", "client"), datetime.timedelta(days=825))


def execution(path: Path, passphrase: str, task: Task) -> tuple[Outcome, float]:
    """One execution and its seconds."""
    begun = time.perf_counter()
    outcome = carry_out(Directory(str(path)), task, passphrase, x509.now())
    return outcome, time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, passphrase = Path(folder) / "authority", secrets.token_hex()
        files.make_private_directory(str(path), "the authority")
        execution(path, passphrase, Task(WISHES))
        rounds = []
        for start in range(0, CERTIFICATES, REQUESTS):
            requests = [request(number) for number in range(start, start + REQUESTS)]
            outcome, seconds = execution(path, passphrase, Task(WISHES, requests))
            assert len(outcome.issued) == REQUESTS
            rounds.append(seconds)
        outcome, revoking = execution(path, passphrase, Task(WISHES, [], [Revocation("ec7")]))
        assert [change.action for change in outcome.changes] == ["revoke", "list"]
    rows = [
        (f"sign {REQUESTS:,} requests (EC), into an empty ledger", rounds[0], SIGNING),
        (f"... into a ledger of {CERTIFICATES - REQUESTS:,} certificates", rounds[-1], SIGNING),
        (f"revoke one of {CERTIFICATES:,} certificates", revoking, REVOKING),
    ]
    lines = [f"{'WHAT':<55} {'SECONDS':>8} {'BOUND':>6}"]
    for what, seconds, bound in rows:
        lines.append(f"{what:<55} {seconds:>8.2f} {bound:>6.1f}{'' if seconds < bound else '  MISSED'}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(int(any(seconds >= bound for _what, seconds, bound in rows)))


if __name__ == "__main__":
    main()
