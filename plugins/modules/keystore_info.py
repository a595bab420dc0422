#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.keystore_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: keystore_info
short_description: Read what is in a Java keystore
version_added: 0.1.0
description:
  - Returns the entries of a keystore, how it is protected, and what a person should know about it. It needs no JVM.
  - A store that the password does not open, that is damaged or of an unknown kind is an error.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.info
options:
  path:
    description: The keystore's file.
    type: path
    required: true
  password:
    description: Opens the store.
    type: str
    required: true
  return_content:
    description:
      - Return the file itself in base64, for O(mutual.tls.keystore#module:copy_content). It holds private keys, encrypted under
        O(password), so give the task C(no_log).
    type: bool
    default: false
seealso:
  - module: mutual.tls.keystore
"""

EXAMPLES = r"""
- name: See what is in the store
  mutual.tls.keystore_info:
    path: /opt/mz/keys
    password: "{{ vault_keystore_password }}"
  register: keys

- name: Say what ends soon
  ansible.builtin.debug:
    var: keys.entries
"""

RETURN = r"""
present:
  description: Whether there is such a file.
  returned: success
  type: bool
format:
  description: The format of the file, found from its bytes.
  returned: success
  type: str
  sample: pkcs12
profile:
  description: The profile that the file's protection is one of, or C(other).
  returned: when the file is present
  type: str
  sample: default
protection:
  description: The algorithms and iterations of the MAC and of the encryption of keys and certificates.
  returned: success
  type: dict
entries:
  description: The entries, private keys first.
  returned: success
  type: list
  elements: dict
  contains:
    alias:
      description: The alias.
      type: str
    type:
      description: C(private_key) or C(trusted_cert).
      type: str
    sha256:
      description: The fingerprint of the certificate, of a private key's leaf.
      type: str
    subject:
      description: The certificate's subject.
      type: str
    issuer:
      description: The certificate's issuer.
      type: str
    serial_number:
      description: The certificate's serial number, hexadecimal.
      type: str
    not_before:
      description: When the certificate begins, UTC.
      type: str
    not_after:
      description: When the certificate ends, UTC.
      type: str
    chain_length:
      description: The number of certificates in the chain, as Java rebuilds it.
      type: int
    key_type:
      description: RSA, EC, Ed25519 or another.
      type: str
    key_size:
      description: Bits.
      type: int
    created:
      description: When the entry was made, where the store says so.
      type: str
    pem:
      description: The certificate.
      type: str
warnings:
  description: What a person should know, a sentence each; such as certificates that end soon.
  returned: when there is something to know
  type: list
  elements: str
content:
  description: The file in base64.
  returned: when O(return_content) is true and the file is present
  type: str
"""

import base64
import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import facts, files, keystore
from ansible_collections.mutual.tls.plugins.module_utils.edge import run


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "path": {"type": "path", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "return_content": {"type": "bool", "default": False},
    }


def describe(module: AnsibleModule) -> dict[str, Any]:
    """Read the store."""
    path = module.params["path"]
    store = keystore.open_store_if_present(path, module.params["password"])
    result = facts.store_facts(path, store)
    for warning in facts.warnings(result, datetime.datetime.now(datetime.timezone.utc)):
        module.warn(f"{path}: {warning}")
    if store is not None:
        result["profile"] = keystore.profile(store)
        if module.params["return_content"]:
            result["content"] = base64.b64encode(files.read_if_present(path) or b"").decode("ascii")
    return {"changed": False, **result}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: describe(module))


if __name__ == "__main__":
    main()
