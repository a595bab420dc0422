# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-time passwords: made here, and told to the operator once, by a way of their own.

They are in no result and go through no callback: what Ansible prints it may also log. They are written to the operator's terminal, and
nowhere else; or, where a directory for them is named, into files of their own, encrypted for a vault id if one is given.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.vault import match_encrypt_secret

from ansible_collections.mutual.tls.plugins.module_utils import files
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import printable

#: What people read aloud and type without a doubt: no i, l, o, 0 or 1, and nothing that needs a shift key.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, LENGTH = 6, 4


def new_password() -> str:
    """A password of six groups of four characters: 118 bits from the system's random source."""
    return "-".join("".join(secrets.choice(ALPHABET) for _place in range(LENGTH)) for _group in range(GROUPS))


def terminal() -> str | None:
    """The path of the terminal that this run's output goes to; None where it goes to a file, a pipe or nowhere.

    Actions run in processes of their own, which newer releases of ansible-core cut off from the terminal; their parent has it.
    """
    for number in (1, 2):
        try:
            path = os.readlink(f"/proc/{os.getppid()}/fd/{number}")
            descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            if path.startswith("/dev/") and os.isatty(descriptor):
                return path
        finally:
            os.close(descriptor)
    return None


def show(path: str, passwords: Mapping[str, str]) -> None:
    """Write them to the terminal at *path*. Raises OSError."""
    width = max(map(len, passwords))
    lines = ["", "One-time passwords, shown this once. Give each to its person by another way than the bundle:", ""]
    lines += [f"  {printable(name).ljust(width)}  {password}" for name, password in passwords.items()]
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\n".join([*lines, "", ""]))


def check_apart(directory: str, bundles: str) -> None:
    """Raises InputError where whoever finds the passwords finds the bundles, too."""
    inner, outer = (os.path.join(os.path.realpath(path), "") for path in (directory, bundles))
    if inner.startswith(outer) or outer.startswith(inner):
        raise InputError(
            f"The one-time passwords ({directory}) would lie with the bundles that they open ({bundles}): name another directory in "
            "mtls_bundle_password_path."
        )


def keep(directory: str, passwords: Mapping[str, str], vault: Any = None, vault_id: str = "") -> dict[str, str]:
    """Write each into a file of its own, for its owner only; name -> path. With *vault_id* it is encrypted for that."""
    paths = {}
    for name, password in passwords.items():
        path, other = (os.path.join(directory, f"{name}.{suffix}") for suffix in (("vault", "txt") if vault_id else ("txt", "vault")))
        files.write_atomically(path, _encrypted(password, vault, vault_id) if vault_id else f"{password}\n".encode("ascii"))
        files.remove_if_present(other)
        paths[name] = path
    return paths


def check_vault(vault: Any, vault_id: str) -> None:
    """Raises InputError where this run was given no vault secret of that id."""
    try:
        match_encrypt_secret(vault.secrets, encrypt_vault_id=vault_id)
    except AnsibleError:
        raise InputError(
            f"mtls_bundle_vault_id is '{vault_id}', and this run has no such vault secret: give it with --vault-id {vault_id}@FILE."
        ) from None  # ansible-core would put its own words behind ours


def _encrypted(password: str, vault: Any, vault_id: str) -> bytes:
    found, secret = match_encrypt_secret(vault.secrets, encrypt_vault_id=vault_id)
    encrypted: bytes = vault.encrypt(f"{password}\n", secret=secret, vault_id=found)
    return encrypted
