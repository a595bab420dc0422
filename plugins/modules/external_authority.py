#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.external_authority."""

from __future__ import annotations

DOCUMENTATION = r"""
module: external_authority
short_description: Leave requests for somebody else's certificate authority, and take what it signed
version_added: 0.1.0
description:
  - For a certificate authority that is somebody else's, such as a company's own, Vault or step-ca. What is between it and this module is a
    directory on one host.
  - People put there the roots that are to be trusted (C(NAME-GENERATION.crt.pem), such as C(system-1.crt.pem)), and their
    revocation lists where servers read such (C(NAME-GENERATION.crl.pem), with the lists of CAs below the root in the same file).
  - This module leaves each request as C(requests/MEMBER.csr.pem), with the extensions that are wished as C(requests/MEMBER.ext), which
    is what C(openssl x509 -req -extfile) reads. What was signed is put into C(certificates/MEMBER.pem), with the CAs between it and the
    root, in any order.
  - What is taken must be for the requested key, come from the newest root, have the names and usages that are asked for, be no CA's, and
    not end soon. What is not is left alone, and the reason is told.
  - What was taken is in C(ledger.jsonl) there, a JSON object in each line.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details: A request that is there already, for the same key and names, stays as it is.
options:
  path:
    description: The directory. Nobody but its owner may write there.
    type: path
    required: true
  authorities:
    description: The CAs that must be there.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the CA is called here and in its files' names, such as C(system) or C(clients).
        type: str
        required: true
      generation:
        description: At least this generation of it.
        type: int
        default: 1
  requests:
    description: The certificates that are asked for.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Who will hold the certificate; the files are called so.
        type: str
        required: true
      authority:
        description: The CA that is to sign it.
        type: str
        required: true
      csr_content:
        description: The signing request, PEM. One that asks for other names than these options is refused.
        type: str
        required: true
      subject:
        description: The certificate's subject.
        type: str
        required: true
      any_subject:
        description: Whether a certificate with another subject is taken too.
        type: bool
        default: false
      subject_alt_name:
        description: The certificate's alternative names. Without any, those of the certificate do not matter.
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
        description: How long the certificate is to be valid.
        type: str
        default: 825d
      renew_before:
        description: A certificate that ends sooner is not taken.
        type: str
        default: 30d
      generation:
        description: From the second generation on the subject must name it (C(OU=generation 2)).
        type: int
        default: 1
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
        description: Why.
        type: str
        choices: [unspecified, key_compromise, affiliation_changed, superseded, cessation_of_operation, privilege_withdrawn]
        default: unspecified
seealso:
  - module: mutual.tls.authority
    description: The authority of the collection itself.
  - module: mutual.tls.keystore
    description: Makes keys and requests (C(csr)), and installs the chains (C(certificate_content)).
"""

EXAMPLES = r"""
- name: Leave what is to be signed, and take what was
  mutual.tls.external_authority:
    path: /srv/certificates
    authorities:
      - name: system
    requests:
      - name: ec1
        authority: system
        csr_content: "{{ hostvars['ec1'].keys.identity.csr }}"
        subject: CN=ec1
        subject_alt_name: ["DNS:ec1.example.test"]
  register: signed
"""

RETURN = r"""
issued:
  description: For each name in O(requests) whose certificate was there what was taken.
  returned: success
  type: dict
  contains:
    chain_pem:
      description: The certificate and those above it, the root last, PEM.
      type: str
    sha256:
      description: The certificate's fingerprint.
      type: str
    not_after:
      description: When it ends, UTC.
      type: str
awaited:
  description: What has yet to be signed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Who waits for it.
      type: str
    authority:
      description: The CA that is to sign it.
      type: str
    request:
      description: Where the request is.
      type: str
    certificate:
      description: Where the certificate is to be put.
      type: str
    subject:
      description: What its subject is to be.
      type: str
    subject_alt_name:
      description: What its alternative names are to be.
      type: list
      elements: str
    usages:
      description: What it is to be for.
      type: list
      elements: str
    days:
      description: How many days it is to be valid.
      type: int
    refused:
      description: Why what is there was not taken; null where nothing is.
      type: str
unlisted:
  description:
    - Certificates of those in O(revoked) that no revocation list names, each with C(name), C(authority), C(generation), C(serial) and
      C(not_after).
  returned: success
  type: list
  elements: dict
changes:
  description: What was left and taken, each with C(entry), C(action) and C(reason).
  returned: success
  type: list
  elements: dict
notes:
  description: What a person should know, a sentence each.
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
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import files, options, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory
from ansible_collections.mutual.tls.plugins.module_utils.authority.elsewhere import (
    OutcomeElsewhere,
    carry_out,
    check_directory,
)
from ansible_collections.mutual.tls.plugins.module_utils.authority.results import results
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Request, Revocation, Task
from ansible_collections.mutual.tls.plugins.module_utils.edge import run

#: What is told of a certificate that no list names.
UNLISTED = ("name", "authority", "generation", "serial", "not_after")


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "path": {"type": "path", "required": True},
        "authorities": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {"name": {"type": "str", "required": True}, "generation": {"type": "int", "default": 1}},
        },
        "requests": options.requests_option(
            any_subject={"type": "bool", "default": False},
            renew_before={"type": "str", "default": "30d"},
            generation={"type": "int", "default": 1},
        ),
        "revoked": options.revoked_option(),
    }


def manage(module: AnsibleModule) -> dict[str, Any]:
    """Do what the options ask for."""
    params = module.params
    task = Task(
        [AuthorityWish(each["name"], "", generation=each["generation"]) for each in params["authorities"]],
        [Request.from_options(each) for each in params["requests"]],
        [Revocation(each["name"], each["reason"]) for each in params["revoked"]],
    )
    check_directory(params["path"])
    if module.check_mode or not os.path.isdir(params["path"]):
        directory = Directory(params["path"])
        return report(module, directory, carry_out(directory, task, x509.now(), check=True))
    with files.alone_at(os.path.join(params["path"], "ledger.jsonl")):
        directory = Directory(params["path"])
        return report(module, directory, carry_out(directory, task, x509.now()))


def report(module: AnsibleModule, directory: Directory, outcome: OutcomeElsewhere) -> dict[str, Any]:
    """What the module returns."""
    for note in () if module.check_mode else outcome.notes:
        module.warn(f"{note}.")
    return {
        **results(directory, outcome.changes, outcome.issued, outcome.revoked, outcome.notes),
        "awaited": [each.to_dict() for each in outcome.awaited],
        "unlisted": [{name: getattr(line, name) for name in UNLISTED} for line in outcome.unlisted],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: manage(module))


if __name__ == "__main__":
    main()
