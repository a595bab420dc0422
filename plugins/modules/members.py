#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: members
short_description: Read from the inventory who takes part in mutual TLS
version_added: 0.1.0
description:
  - Reads the members, their kinds, addresses and endpoints from the inventory, and who connects to whom from the product's adapter.
  - Every fault of the inventory is named, with its host and variable, before any host is asked.
  - It runs on the controller, and connects to no host. One execution serves all members, so give the task C(run_once).
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.info
  - mutual.tls.attributes.action
options:
  names:
    description: The inventory names of all members, whether the play reaches them or not.
    type: list
    elements: str
    required: true
  adapter:
    description: The product's facts that the plan needs, as the role C(product) has them in a file for each product.
    type: dict
    required: true
  trust_model:
    description:
      - How members come to trust each other. In V(pairwise) each has a key of its own, in V(shared) all have the platform's.
      - The adapter says which of them the product can be run with.
    type: str
    default: pairwise
  client_auth:
    description: What the system is to be brought to. The adapter says which values the product can be told.
    type: str
    choices: [required, requested, none]
    default: required
  revoked:
    description: Names whose certificates are trusted no more. A name that is no member any longer counts, too.
    type: list
    elements: str
    default: []
  clients:
    description: People and desktops that connect to the system, and need not be hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name under which an authority signed for them.
        type: str
        required: true
      kind:
        description: What they connect with.
        type: str
        choices: [browser, desktop]
        default: browser
      state:
        description: Who is V(revoked) is as one named in O(revoked).
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
  purge_trusted:
    description: Whether trusted certificates that no member explains are to be removed.
    type: bool
    default: false
  phased:
    description:
      - Whether what runs takes up its files one process after the other, so that old and new must fit each other at every moment. With the
        trust model V(authority), identities and trust are then changed in phases, see M(mutual.tls.plan).
    type: bool
    default: false
notes:
  - It fails in a play with C(serial), or with the strategy C(free) or C(host_pinned), because what is planned is planned for all members
    at once.
  - Of each member it reads C(mtls_kind), C(mtls_address) (else C(ansible_host), else the inventory name), C(mtls_alias),
    C(mtls_source_address) and C(mtls_endpoints).
seealso:
  - module: mutual.tls.member_info
  - module: mutual.tls.plan
"""

EXAMPLES = r"""
- name: Read who takes part from the inventory
  mutual.tls.members:
    names: "{{ query('ansible.builtin.inventory_hostnames', 'mtls') }}"
    adapter: "{{ product_mediationzone }}"
    revoked: [desktop7]
  register: product_system
  run_once: true
"""

RETURN = r"""
run:
  description: A name for the run that has just begun. It holds the time, in UTC, and is another one each time.
  returned: success
  type: str
  sample: 20260131T235959Z-0123abcd
system:
  description: The inventory's words and wishes, which M(mutual.tls.plan) and M(mutual.tls.matrix) take.
  returned: success
  type: dict
members:
  description: The members by name, each with what its host is to look at.
  returned: success
  type: dict
  contains:
    name:
      description: The member's name in the inventory.
      type: str
    kind:
      description: V(platform), V(execution), V(service), V(gateway) or V(client).
      type: str
    alias:
      description: Under which alias others trust it.
      type: str
    key_alias:
      description: The alias of the key that it presents, which is the platform's where the keystore is a copy.
      type: str
    holds_copy:
      description: Whether its keystore is a copy of the platform's.
      type: bool
    has_settings:
      description: Whether the product has settings for it.
      type: bool
    is_served:
      description: Whether others connect to members of its kind.
      type: bool
    has_pem:
      description: Whether the product reads PEM files there.
      type: bool
    address:
      description: Where others reach it.
      type: str
    source_address:
      description: The local address that its connections come from.
      type: str
    endpoints:
      description: Where it listens, each with C(name), C(host) and C(port).
      type: list
      elements: dict
    observe:
      description: The endpoints that it connects to.
      type: list
      elements: dict
    revoked:
      description: Whether it is revoked.
      type: bool
people:
  description: Those of O(clients) who are no members, with all their options, as M(mutual.tls.client_bundle) takes them.
  returned: success
  type: list
  elements: dict
signers:
  description: The CAs that sign for anybody here where the trust model is V(authority), each as C(name).
  returned: success
  type: list
  elements: dict
revocations:
  description: Who is revoked, each as C(name).
  returned: success
  type: list
  elements: dict
platforms:
  description: The names of the platforms, the first of which has the registry.
  returned: success
  type: list
  elements: str
  sample: [platform1]
"""
