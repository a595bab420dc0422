#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.authority_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_info
short_description: Read what a certificate authority is, issued and revoked
version_added: 0.1.0
description:
  - Returns the CAs in a directory of M(mutual.tls.authority), their revocation lists, and who is revoked. It opens no key.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.info
options:
  path:
    description: The directory. One that is absent has no CAs.
    type: path
    required: true
  names:
    description: Whose certificates to return.
    type: list
    elements: str
    default: []
seealso:
  - module: mutual.tls.authority
"""

EXAMPLES = r"""
- name: See which CAs there are
  mutual.tls.authority_info:
    path: /var/lib/mutual_tls/authority
  register: authority
"""

RETURN = r"""
authorities:
  description: The CAs, each generation by itself.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The CA's name.
      type: str
    generation:
      description: Its generation.
      type: int
    sha256:
      description: The fingerprint of its certificate.
      type: str
    subject:
      description: Its certificate's subject.
      type: str
    not_after:
      description: When its certificate ends, UTC.
      type: str
    pem:
      description: Its certificate.
      type: str
    crl:
      description: Its revocation list, with C(number), C(next_update) (UTC), how many certificates are on it (C(length)), and C(pem).
      type: dict
revoked:
  description: The certificates that are revoked and would not have expired yet.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Who holds it.
      type: str
    authority:
      description: The CA that signed it.
      type: str
    generation:
      description: The CA's generation.
      type: int
    sha256:
      description: The certificate's fingerprint.
      type: str
    serial:
      description: Its serial number, hexadecimal.
      type: str
    time:
      description: When it was revoked, UTC.
      type: str
    reason:
      description: Why.
      type: str
    not_after:
      description: When it ends, UTC.
      type: str
revoked_keys:
  description: By name, the SHA-256 of each of its public keys for which a certificate was revoked, also of those that have expired.
  returned: success
  type: dict
certificates:
  description:
    - For each name in O(names) its certificates, the oldest first, each with C(state) (V(pending), V(issued), V(superseded), V(revoked)
      or V(expired)), C(authority), C(generation), C(serial), C(sha256), C(subject), C(not_before), C(not_after), C(time) and C(reason).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory, certificates_of, directory_facts
from ansible_collections.mutual.tls.plugins.module_utils.edge import run


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {"path": {"type": "path", "required": True}, "names": {"type": "list", "elements": "str", "default": []}}


def read(directory: Directory, names: list[str]) -> dict[str, Any]:
    """What the module returns."""
    return {"changed": False, **directory_facts(directory), "certificates": certificates_of(directory, names)}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: read(Directory(module.params["path"]), module.params["names"]))


if __name__ == "__main__":
    main()
