# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the authority are made of: wishes, requests, and one run."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import files, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory
from ansible_collections.mutual.tls.plugins.module_utils.authority.issuing import Outcome, Task, carry_out
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Confirmation, Request, Revocation

from ..factory import DAY, NOW, new_key

PASSPHRASE = "a passphrase of a vault"
SYSTEM = AuthorityWish("system", "CN=example system CA")
CLIENTS = AuthorityWish("clients", "CN=example clients CA")


def csr(key: Any, subject: str = "CN=whatever it says") -> str:
    """A signing request, PEM."""
    return x509.signing_request(key, x509.parse_name(subject), [])


def request(name: str, *, key: Any = None, authority: str = "system", **given: Any) -> Request:
    """A request of *name*, for a new key unless one is given."""
    wish = {
        "csr": csr(key if key is not None else new_key()),
        "subject": f"CN={name}",
        "subject_alt_name": (f"DNS:{name}.example.test",),
        "usages": ("server", "client"),
        "valid_for": 100 * DAY,
        **given,
    }
    return Request(name, authority, **wish)


def run(
    path: Path,
    *requests: Request,
    wishes: Sequence[AuthorityWish] = (SYSTEM,),
    revoked: Sequence[Revocation] = (),
    confirmed: Sequence[Confirmation] = (),
    now: datetime.datetime = NOW,
    passphrase: str = PASSPHRASE,
    check: bool = False,
) -> Outcome:
    """One execution."""
    if not check:
        files.make_private_directory(str(path), "the authority")
    return carry_out(Directory(str(path)), Task(wishes, requests, revoked, confirmed), passphrase, now, check=check)


def done(outcome: Outcome) -> list[tuple[str, str]]:
    """What was changed, without the reasons."""
    return [(change.subject, change.action) for change in outcome.changes]


def content(path: Path) -> dict[str, bytes]:
    """Every file in the directory; nothing when there is none."""
    return {each.name: each.read_bytes() for each in sorted(path.iterdir())} if path.exists() else {}
