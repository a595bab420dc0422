#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.pem_files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pem_files
short_description: Write the PEM files that a server reads from a keystore
version_added: 0.1.0
description:
  - Writes two files for servers such as nginx that read PEM and no keystore. One holds the private key and its chain, the other whom
    the server trusts, with their revocation lists.
  - Each file is whole in itself and is replaced in one step. A server that is started between the two finds no key beside another's
    certificate, and no CA without the list that it demands.
  - The private key in the first file is not encrypted, because a server that starts by itself would need its password beside it. The
    file is made with the mode C(0600) before anything is in it; keys are in no result and no diff.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - ansible.builtin.files
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names the certificates and lists by their fingerprints.
  idempotent:
    support: full
options:
  keystore:
    description: The keystore that the files are made from.
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
        description: The private key.
        type: str
        required: true
  identity_path:
    description: The file with the private key and its chain. C(ssl_certificate) and C(ssl_certificate_key) of nginx both name it.
    type: path
    required: true
  trust_path:
    description: The file with whom to trust. C(ssl_client_certificate) and C(ssl_crl) of nginx both name it.
    type: path
    required: true
  crl_content:
    description: The revocation lists (PEM) of those who are trusted.
    type: list
    elements: str
    default: []
notes:
  - The files are replaced as a whole, in one step; O(unsafe_writes) has no effect.
  - File attributes are set on both files.
seealso:
  - module: mutual.tls.keystore
  - module: mutual.tls.reload
"""

EXAMPLES = r"""
- name: Let nginx have what is in the keystore
  mutual.tls.pem_files:
    keystore:
      path: /etc/mutual_tls/keys
      password: "{{ vault_keystore_password }}"
      alias: gateway1
    identity_path: /etc/mutual_tls/identity.pem
    trust_path: /etc/mutual_tls/trust.pem
    crl_content:
      - "{{ lookup('ansible.builtin.file', 'clients.crl.pem') }}"
"""

RETURN = r"""
changes:
  description: What changed, or in check mode would change, each with C(file) (V(identity) or V(trust)) and C(reason).
  returned: success
  type: list
  elements: dict
pem:
  description:
    - What the files are now, C(identity_path), C(trust_path), C(identity_change) (null when it is what the keystore says), C(trusted)
      and C(crls) (fingerprints of what is in the second file), and C(modified), seconds since the epoch.
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import files, keystore, pem_files
from ansible_collections.mutual.tls.plugins.module_utils.edge import run
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError


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
                "alias": {"type": "str", "required": True},
            },
        },
        "identity_path": {"type": "path", "required": True},
        "trust_path": {"type": "path", "required": True},
        "crl_content": {"type": "list", "elements": "str", "default": []},
    }


def converge(module: AnsibleModule) -> dict[str, Any]:
    """Bring both files to what the keystore and the lists say."""
    params = module.params
    wanted_store = params["keystore"]
    store = keystore.open_store(wanted_store["path"], wanted_store["password"])
    try:
        wanted = pem_files.wanted(store, wanted_store["alias"], params["crl_content"])
    except StoreError as error:
        raise type(error)(f"No PEM file can be made from {wanted_store['path']}: {error}.", path=wanted_store["path"]) from error
    before = facts(params, store)
    changes = []
    # Whom to trust first: a server that is started in between refuses nobody whom it accepted with its new certificate.
    for name, content in (("trust", wanted.trust), ("identity", wanted.identity)):
        path = params[f"{name}_path"]
        found = files.read_if_present(path)
        if found != content:
            changes.append({"file": name, "reason": "it is not there" if found is None else "it is not what the keystore says"})
            files.check_replaceable(path)
            if not module.check_mode:
                files.write_atomically(path, content)
    changed = bool(changes)
    for name in () if changes and module.check_mode else ("identity", "trust"):
        attributes = module.load_file_common_arguments(params, path=params[f"{name}_path"])
        changed = module.set_fs_attributes_if_different(attributes, changed)
    after = facts(params, store)
    diff = {"before": shown(before), "after": shown(after)} if not module.check_mode else {"before": shown(before), "after": ""}
    return {"changed": changed, "changes": changes, "pem": after, "diff": diff}


def facts(params: dict[str, Any], store: keystore.Store) -> dict[str, Any]:
    """What the files are."""
    return pem_files.pem_facts(params["identity_path"], params["trust_path"], store, params["keystore"]["alias"])


def shown(found: dict[str, Any]) -> str:
    """The files for a diff: fingerprints only."""
    lines = [f"{found['identity_path']}: {found['identity_change'] or 'as the keystore says'}"]
    lines += [f"{found['trust_path']}: certificate {each}" for each in found["trusted"]]
    lines += [f"{found['trust_path']}: revocation list {each}" for each in found["crls"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, add_file_common_args=True)
    run(module, lambda: converge(module))


if __name__ == "__main__":
    main()
