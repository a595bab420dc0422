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
    description: Opens the store. A store that has no password, as the one that comes with Java, is read without.
    type: str
    default: ''
  ca_expected:
    description: Whether trusted CAs are what the store is for, so that they are no reason for a warning.
    type: bool
    default: false
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
sha256:
  description: The digest of the whole file, not of a certificate.
  returned: success
  type: str
modified:
  description: When the file was last written, seconds since the epoch by its host's clock.
  returned: success
  type: float
mode:
  description: The file's mode. Its owner, group and size are returned as by M(ansible.builtin.file).
  returned: success
  type: str
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
  description: The profile that a PKCS#12 file's protection is one of, or C(other). A JKS file has none.
  returned: success
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
      description: C(private_key), C(trusted_cert), or C(secret_key) for a symmetric key, which has none of the rest.
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
    chain_sha256:
      description: The fingerprints of the chain, leaf first.
      type: list
      elements: str
    chain_pem:
      description: The chain of a private key, PEM, leaf first.
      type: str
    key_matches:
      description: Whether the certificate beside a private key is for that key; null when that cannot be told.
      type: bool
    locked:
      description: Whether a private key has a password of its own, which only Java's KeyStore API or JKS knows.
      type: bool
    is_ca:
      description: Whether the certificate is a CA's.
      type: bool
    subject_alt_name:
      description: The certificate's alternative names.
      type: list
      elements: str
    extended_key_usage:
      description: The certificate's extended key usages as object identifiers; null when it has no such extension.
      type: list
      elements: str
    signature_digest:
      description: The digest that the certificate is signed with; null where the signature scheme has its own.
      type: str
    unreadable:
      description: Why nothing can be said of the entry's certificate.
      returned: when it cannot be read
      type: str
    key_type:
      description: RSA, EC, Ed25519 or another.
      type: str
    key_size:
      description: Bits.
      type: int
    curve:
      description: The curve of an EC key.
      type: str
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
from ansible_collections.mutual.tls.plugins.module_utils.warnings import warnings


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "path": {"type": "path", "required": True},
        "password": {"type": "str", "default": "", "no_log": True},
        "ca_expected": {"type": "bool", "default": False},
        "return_content": {"type": "bool", "default": False},
    }


def describe(module: AnsibleModule) -> dict[str, Any]:
    """Read the store."""
    path = module.params["path"]
    store = keystore.open_store_if_present(path, module.params["password"])
    result = facts.store_facts(path, store)
    now = datetime.datetime.now(datetime.timezone.utc)
    remarks = (*store.contents.remarks, *store.contents.repairs) if store is not None else ()
    for warning in warnings(result, now, ca_expected=module.params["ca_expected"], remarks=remarks):
        module.warn(f"{path}: {warning}.")
    if store is not None and module.params["return_content"]:
        result["content"] = base64.b64encode(files.read_if_present(path) or b"").decode("ascii")
    return {"changed": False, **result}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: describe(module))


if __name__ == "__main__":
    main()
