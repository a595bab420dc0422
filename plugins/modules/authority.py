#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.authority."""

from __future__ import annotations

DOCUMENTATION = r"""
module: authority
short_description: Run a private certificate authority in a directory
version_added: 0.1.0
description:
  - Makes and renews CAs, signs all requests of a run in one execution, revokes, and keeps a revocation list for each CA.
  - Names, usages and lifetimes come from the options. Of a request only the key is taken, and a request that does not show that its
    sender holds the key, or whose key is weak, revoked or somebody else's, is refused by name. Nothing is signed then.
  - The keys of the CAs are encrypted under O(passphrase), and stay in the directory, which is for its owner only.
  - What was issued and revoked is in C(ledger.jsonl) there, a JSON object in each line, which is only ever appended to. It is on disk
    before anything is answered.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
    details: What would be signed has no certificate yet.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Each request that is handed in is signed, so hand in only those that are due.
options:
  path:
    description: The directory. It is made when it is absent, in a directory that is there.
    type: path
    required: true
  passphrase:
    description: Opens the CAs' keys. It has at least 12 characters, and comes from a vault.
    type: str
    required: true
  authorities:
    description: The CAs. Those in the directory that are not named here are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the CA is called here and in its files' names, such as C(system) or C(clients).
        type: str
        required: true
      subject:
        description:
          - The CA's name, C(CN=mutual.tls NAME CA) by default. The digest of its key is added as a serial number, and from the second
            generation on the generation, so that no two CAs have one name.
        type: str
      key_type:
        description: The type of a new key.
        type: str
        choices: [RSA, EC, Ed25519]
        default: EC
      key_size:
        description: The size of a new RSA key in bits.
        type: int
        default: 3072
      curve:
        description: The curve of a new EC key.
        type: str
        choices: [secp256r1, secp384r1, secp521r1]
        default: secp256r1
      valid_for:
        description: How long the CA's certificate is valid. What it signs does not outlive it.
        type: str
        default: 3650d
      renew_before:
        description: A CA's certificate that ends sooner is renewed for the same key and name, so that what it signed stays good.
        type: str
        default: 825d
      generation:
        description: A CA of an older generation is replaced by one with another key and another name. The older one is kept.
        type: int
        default: 1
      permitted_names:
        description:
          - What the names in certificates below the CA must be within (name constraints), such as C(DNS:example.test) or
            C(IP:192.0.2.0/24). Kinds of names that are not mentioned are not constrained.
        type: list
        elements: str
        default: []
      crl_valid_for:
        description: How long a revocation list is valid. One that has ended is an outage where servers read it.
        type: str
        default: 30d
      crl_renew_before:
        description: A revocation list that ends sooner is made anew.
        type: str
        default: 10d
  requests:
    description: The certificates to sign.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Who will hold the certificate.
        type: str
        required: true
      authority:
        description: The CA that signs it.
        type: str
        required: true
      csr_content:
        description: The signing request, PEM. Only its key is used.
        type: str
        required: true
      subject:
        description: The certificate's subject.
        type: str
        required: true
      subject_alt_name:
        description: The certificate's alternative names.
        type: list
        elements: str
        default: []
      usages:
        description: What the certificate is for.
        type: list
        elements: str
        choices: [server, client]
        default: [server, client]
      valid_for:
        description: How long the certificate is valid.
        type: str
        default: 825d
      pending:
        description:
          - Whether the certificate counts for nothing until O(confirmed) names it. A bundle whose password nobody was told before the run
            died is made anew, then, and what is in it is not taken for somebody's.
        type: bool
        default: false
  confirmed:
    description: The pending certificates that their holders have now. What these had before is over.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name in the request.
        type: str
        required: true
      sha256:
        description: The certificate's fingerprint.
        type: str
        required: true
      revoke_former:
        description: Whether the holder's certificates before it are revoked. Else they are noted as superseded, and servers accept them.
        type: bool
        default: true
  revoked:
    description: Who is to have no certificate that is accepted.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name in the requests.
        type: str
        required: true
      reason:
        description: Why, as the revocation list says it.
        type: str
        choices: [unspecified, key_compromise, affiliation_changed, superseded, cessation_of_operation, privilege_withdrawn]
        default: unspecified
  names:
    description: Whose certificates are returned.
    type: list
    elements: str
    default: []
  known:
    description: Everybody who may have certificates. Where somebody is named, a note tells of each other one whose certificate is good.
    type: list
    elements: str
    default: []
seealso:
  - module: mutual.tls.authority_info
  - module: mutual.tls.keystore
    description: Makes keys and requests (C(csr)), and installs the chains (C(certificate_content)).
"""

EXAMPLES = r"""
- name: Sign what the hosts ask for
  mutual.tls.authority:
    path: /var/lib/mutual_tls/authority
    passphrase: "{{ vault_authority_passphrase }}"
    authorities:
      - name: system
      - name: clients
        valid_for: 1825d
    requests:
      - name: ec1
        authority: system
        csr_content: "{{ hostvars['ec1'].keys.identity.csr }}"
        subject: CN=ec1
        subject_alt_name: ["DNS:ec1.example.test"]
  register: signed

- name: Revoke the desktop that was lost
  mutual.tls.authority:
    path: /var/lib/mutual_tls/authority
    passphrase: "{{ vault_authority_passphrase }}"
    authorities:
      - name: clients
    revoked:
      - {name: desktop7, reason: key_compromise}
"""

RETURN = r"""
issued:
  description: For each name in O(requests) what was signed.
  returned: success, but for check mode
  type: dict
  contains:
    chain_pem:
      description: The certificate and its issuer's, PEM.
      type: str
    sha256:
      description: The certificate's fingerprint.
      type: str
    not_after:
      description: When it ends, UTC.
      type: str
changes:
  description: What was changed in the directory, each with C(entry), C(action) and C(reason).
  returned: success
  type: list
  elements: dict
notes:
  description: What a person should know, a sentence each, such as that nothing was ever issued to somebody who is to be revoked.
  returned: success
  type: list
  elements: str
authorities:
  description: What M(mutual.tls.authority_info) returns of the directory.
  returned: success
  type: list
  elements: dict
revoked:
  description: What M(mutual.tls.authority_info) returns of the directory.
  returned: success
  type: list
  elements: dict
revoked_keys:
  description: What M(mutual.tls.authority_info) returns of the directory.
  returned: success
  type: dict
certificates:
  description: What M(mutual.tls.authority_info) returns for each name in O(names).
  returned: success
  type: dict
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import files, options, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory, certificates_of, strangers
from ansible_collections.mutual.tls.plugins.module_utils.authority.issuing import Outcome, Task, carry_out
from ansible_collections.mutual.tls.plugins.module_utils.authority.results import results
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Confirmation, Request, Revocation
from ansible_collections.mutual.tls.plugins.module_utils.edge import run
from ansible_collections.mutual.tls.plugins.module_utils.keystore import check_unmasked


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "path": {"type": "path", "required": True},
        "passphrase": {"type": "str", "required": True, "no_log": True},
        "authorities": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "subject": {"type": "str"},
                "key_type": {"type": "str", "choices": list(x509.KEY_TYPES), "default": "EC"},
                "key_size": {"type": "int", "default": 3072, "no_log": False},
                "curve": {"type": "str", "choices": list(x509.CURVES), "default": x509.CURVE},
                "valid_for": {"type": "str", "default": "3650d"},
                "renew_before": {"type": "str", "default": "825d"},
                "generation": {"type": "int", "default": 1},
                "permitted_names": {"type": "list", "elements": "str", "default": []},
                "crl_valid_for": {"type": "str", "default": "30d"},
                "crl_renew_before": {"type": "str", "default": "10d"},
            },
        },
        "requests": options.requests_option(pending={"type": "bool", "default": False}),
        "confirmed": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "sha256": {"type": "str", "required": True},
                "revoke_former": {"type": "bool", "default": True},
            },
        },
        "revoked": options.revoked_option(),
        "names": {"type": "list", "elements": "str", "default": []},
        "known": {"type": "list", "elements": "str", "default": []},
    }


def manage(module: AnsibleModule) -> dict[str, Any]:
    """Do what the options ask for."""
    params = module.params
    check_unmasked(params["passphrase"], "passphrase", params["path"], *(each["name"] for each in params["requests"]))
    task = Task(
        [AuthorityWish.from_options(each) for each in params["authorities"]],
        [Request.from_options(each) for each in params["requests"]],
        [Revocation(each["name"], each["reason"]) for each in params["revoked"]],
        [Confirmation(**each) for each in params["confirmed"]],
    )
    if module.check_mode:
        return report(
            module, Directory(params["path"]), carry_out(Directory(params["path"]), task, params["passphrase"], x509.now(), check=True)
        )
    files.make_private_directory(params["path"], "the authority")
    with files.alone_at(os.path.join(params["path"], "ledger.jsonl")):
        directory = Directory(params["path"])
        return report(module, directory, carry_out(directory, task, params["passphrase"], x509.now()))


def report(module: AnsibleModule, directory: Directory, outcome: Outcome) -> dict[str, Any]:
    """What the module returns."""
    for note in () if module.check_mode else outcome.notes:
        module.warn(f"{note}.")
    others = strangers(directory, module.params["known"]) if module.params["known"] else ()
    found = results(directory, outcome.changes, outcome.issued, outcome.revoked, [*outcome.notes, *others])
    return {**found, "certificates": certificates_of(directory, module.params["names"])}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: manage(module))


if __name__ == "__main__":
    main()
