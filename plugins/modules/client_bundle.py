#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.client_bundle, which is an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: client_bundle
short_description: Give people keys and certificates, in bundles with one-time passwords
version_added: 0.1.0
description:
  - Makes a key for everybody who has no valid certificate, has the authority on the task's host sign for it, and writes a bundle to a
    directory of the controller, with a page (HTML and plain text) that says how to install it.
  - Keys and passwords are made in Ansible's own process, and are in no result, log or fact. A password is shown once, on the operator's
    terminal; or it goes into a file of O(password_path), where that is given, encrypted where O(vault_id) is.
  - The authority knows a certificate as pending until its password was told. Where the run dies before, the next one makes another.
  - Whoever is revoked gets no new bundle unless named in O(again); the files of a bundle of somebody revoked are removed.
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.action
attributes:
  check_mode:
    support: full
    details: No key is made, and nothing is signed.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Whoever is named in O(again) gets another bundle each time.
options:
  people:
    description: Who may have a bundle.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Who it is; it names files, and the authority knows the certificate by it.
        type: str
        required: true
      kind:
        description: What they connect with.
        type: str
        choices: [browser, desktop]
        default: browser
      state:
        description: Of who is V(revoked) files are removed. The authority revokes certificates, not this.
        type: str
        choices: [present, revoked]
        default: present
      subject:
        description: The certificate's subject, C(CN=NAME) by default.
        type: str
      subject_alt_name:
        description: The certificate's alternative names, such as C(email:alice@example.test).
        type: list
        elements: str
        default: []
      valid_for:
        description: How long the certificate is valid.
        type: str
        default: 365d
      renew_before:
        description: A certificate that ends sooner is told of. Nobody gets another one unasked.
        type: str
        default: 30d
      key_type:
        description: The type of the key.
        type: str
        choices: [EC, RSA]
        default: EC
      readers:
        description: What imports the bundle; empty for any. Some need an older cipher.
        type: list
        elements: str
        choices: [windows, windows_old, firefox, linux, android, android_old, macos, ios, java, java_old]
        default: []
      formats:
        description: The formats of the bundle's files.
        type: list
        elements: str
        choices: [pkcs12, jks]
        default: [pkcs12]
  again:
    description:
      - Those of O(people) who get another bundle though they have one. It takes the place of the one before. Nobody else gets one, then.
    type: list
    elements: str
    default: []
  path:
    description: The directory for bundles and pages on the controller, for its owner only. It is made when it is absent.
    type: path
    required: true
  password_path:
    description: The directory for one-time passwords, which runs without a terminal need. It is neither within O(path) nor around it.
    type: path
  vault_id:
    description: The vault id that passwords in O(password_path) are encrypted for.
    type: str
    default: ''
  new_generation:
    description:
      - Whether a CA of an older generation than the one in O(authority.authorities) is replaced. Without it the CA that is there signs.
    type: bool
    default: true
  untold:
    description:
      - What to do where passwords could go nowhere. With V(warn) nobody gets a bundle, and the run goes on, unless somebody has one of an
        older generation of the CA.
    type: str
    choices: [fail, warn]
    default: fail
  judge_only:
    description: >-
      Whether only to see if everybody who is due could get a bundle, and to fail where not. To be done before the authority signs for
      others: a CA that is replaced cannot be taken back.
    type: bool
    default: false
  authority:
    description: The authority on the task's host.
    type: dict
    required: true
    suboptions:
      path:
        description: Its directory, on that host.
        type: str
        required: true
      passphrase:
        description: Opens its keys.
        type: str
        required: true
      authorities:
        description: Its CAs, as M(mutual.tls.authority) takes them.
        type: list
        elements: dict
        required: true
      name:
        description: The CA that signs for people.
        type: str
        default: clients
      server_name:
        description: The CA that signs for servers. Its certificate is put beside the bundles.
        type: str
        default: system
  revoke_former:
    description: Whether what somebody had before is revoked. Where servers read no revocation lists it is only noted as superseded.
    type: bool
    default: true
  system:
    description: What people know the system as.
    type: str
    default: mutual.tls
  addresses:
    description: Where people reach it, for the page.
    type: list
    elements: str
    default: []
  contact:
    description: Whom people ask, for the page.
    type: str
    default: ''
  templates:
    description: The directory with C(page.html.j2) and C(page.txt.j2).
    type: path
    required: true
seealso:
  - module: mutual.tls.authority
  - module: mutual.tls.authority_info
"""

EXAMPLES = r"""
- name: Give Alice a bundle
  mutual.tls.client_bundle:
    people:
      - {name: alice, readers: [windows, firefox]}
    path: /srv/bundles
    authority:
      path: /srv/authority
      passphrase: "{{ vault_authority_passphrase }}"
      authorities:
        - name: clients
    templates: /srv/templates
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
bundles:
  description: The bundles that were made, by name.
  returned: success
  type: dict
  contains:
    files:
      description: The bundle's files.
      type: list
      elements: str
    page:
      description: The page for the person.
      type: str
    password:
      description: Where the password is. It is not the password.
      type: str
    profile:
      description: What the bundle is protected with.
      type: str
    sha256:
      description: The certificate's fingerprint.
      type: str
    subject:
      description: Its subject.
      type: str
    not_before:
      description: When it begins, UTC.
      type: str
    not_after:
      description: When it ends, UTC.
      type: str
replaced:
  description: Who had a certificate that a new one takes the place of.
  returned: success
  type: list
  elements: str
authority:
  description: What M(mutual.tls.authority_info) returns of the directory then, as C(authorities), C(revoked) and C(revoked_keys).
  returned: when a bundle was made
  type: dict
notes:
  description: What a person should know, such as whose certificate ends soon.
  returned: success
  type: list
  elements: str
"""
