#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.nss_database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nss_database
short_description: Give the browsers of a Linux desktop what is in a keystore
version_added: 0.1.0
description:
  - Puts the key and certificate of a keystore into the databases of Chromium, Chrome and Firefox (NSS), and has them trust for servers
    what the keystore trusts.
  - What an identity takes the place of is removed, with its key. It is told by its key, or by its subject (in whatever generation) and the
    name of its CA, and by its fingerprint from the one that stays. Of trusted certificates those are removed that this module put there
    under the same O(name), and that the keystore trusts no more. So give each system a name of its own.
  - The key goes from the keystore into the database in memory, under a password for that moment. It is in no file in between, and no
    password is on a command line.
  - A browser that runs sees the change after it is started again.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
  - certutil and pk12util on the managed host (Debian, the package libnss3-tools; Fedora, nss-tools)
extends_documentation_fragment:
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names the certificates by their fingerprints.
  idempotent:
    support: full
options:
  keystore:
    description: The keystore.
    type: dict
    required: true
    suboptions:
      path:
        description: The keystore's file.
        type: path
        required: true
      password:
        description: Opens the keystore.
        type: str
        required: true
      alias:
        description: The private key. It can be left out when the store has only one.
        type: str
  name:
    description: What people see in their browser. It is written in lower case.
    type: str
    required: true
  home:
    description:
      - The home of the user whose browsers these are. Chromium's database is made where there is none; Firefox's are those of the profiles
        that it has used.
    type: path
    default: "~"
  databases:
    description: The directories of databases, in place of those in O(home).
    type: list
    elements: path
  database_password:
    description: What opens the databases, where their user has set a password (Firefox calls it the primary password).
    type: str
    default: ""
  state:
    description: With V(absent) the identity is removed, and the trusted certificates that this module put there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: mutual.tls.keystore
"""

EXAMPLES = r"""
- name: Let the browsers of this desktop's user present the desktop's certificate
  mutual.tls.nss_database:
    keystore:
      path: "{{ ansible_env.HOME }}/mutual_tls/desktop.p12"
      password: "{{ vault_keystore_password }}"
    name: example console
"""

RETURN = r"""
changes:
  description:
    - What changed, or in check mode would change, each with C(database), C(entry), C(action) (V(create), V(install), V(remove), V(trust) or
      V(distrust)) and C(reason).
  returned: success
  type: list
  elements: dict
databases:
  description: The directories of the databases.
  returned: success
  type: list
  elements: str
sha256:
  description: The fingerprint of the keystore's certificate.
  returned: success
  type: str
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import keystore, nss, x509
from ansible_collections.mutual.tls.plugins.module_utils.edge import run
from ansible_collections.mutual.tls.plugins.module_utils.entries import TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, StoreError


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "keystore": {
            "type": "dict",
            "required": True,
            "no_log": False,
            "options": {
                "path": {"type": "path", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
                "alias": {"type": "str"},
            },
        },
        "name": {"type": "str", "required": True},
        "home": {"type": "path", "default": "~"},
        "databases": {"type": "list", "elements": "path"},
        "database_password": {"type": "str", "default": "", "no_log": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def wanted_of(params: dict[str, Any]) -> nss.Wanted:
    """What the keystore has for browsers."""
    given = params["keystore"]
    store = keystore.open_store(given["path"], given["password"])
    try:
        entry = store.key_entry(given["alias"])
        entry.private_key()
    except StoreError as error:
        raise type(error)(f"The identity cannot be taken from {given['path']}: {error}.", path=given["path"]) from error
    if not entry.chain:
        raise StoreError(f"The key in {given['path']} has no certificate to show.", path=given["path"])
    trusted = tuple((each.alias, each.certificate) for each in store.entries if isinstance(each, TrustedCertEntry))
    return nss.Wanted(entry, params["name"], trusted)


def check_owner(path: str, home: str) -> None:
    """Refuse to work on what is somebody else's: its user could not open it any more, or might have it lead elsewhere."""
    while not os.path.lexists(path) and path not in ("", "/", home):
        path = os.path.dirname(path)
    try:
        owner = os.stat(path).st_uid
    except OSError as error:
        raise InputError(f"{path} cannot be looked at ({error.strerror}): 'home' is the home of the browsers' user.") from error
    if owner != os.geteuid():
        raise InputError(f"{path} is another user's: run this as the browsers' user (become_user), and with that user's home.")


def manage(module: AnsibleModule) -> dict[str, Any]:
    """Bring each database to what the keystore says."""
    params = module.params
    wanted = wanted_of(params)
    if params["databases"] is None:
        check_owner(params["home"], params["home"])
    paths = params["databases"] if params["databases"] is not None else nss.databases(params["home"])
    for path in paths:
        check_owner(path, params["home"])
    changes = []
    for path in paths:
        database = nss.Database(path, params["database_password"])
        if params["state"] == "absent":
            made = nss.forget(database, wanted, check=module.check_mode)
        else:
            made = nss.converge(database, wanted, check=module.check_mode)
        changes.extend({"database": path, "entry": entry, "action": action, "reason": reason} for entry, action, reason in made)
    after = "".join(f"{each['database']}: {each['action']} {each['entry']} ({each['reason']})\n" for each in changes)
    return {
        "changed": bool(changes),
        "changes": changes,
        "databases": list(paths),
        "sha256": x509.sha256(wanted.identity.chain[0]),
        "diff": {"before": "", "after": after},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    os.umask(0o077)  # what certutil makes is its user's alone
    run(module, lambda: manage(module))


if __name__ == "__main__":
    main()
