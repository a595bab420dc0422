#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.controller_handshake, which is an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: controller_handshake
short_description: Make TLS handshakes from the controller, as people do who are nobody's host
version_added: 0.1.0
description:
  - Makes a list of handshakes in Ansible's own process, and tells how they ended. What came of them is for M(mutual.tls.matrix) to judge.
  - Where a probe presents what a person has, the authority on the task's host signs for a key that was made for it. The key never leaves
    the process, the certificate lasts for an hour, and it is revoked when the handshakes are made. No revocation list is made for
    its sake, because it is over before servers would have one; a list that is made while it lasts names it.
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.action
attributes:
  check_mode:
    support: full
    details: No handshake is made.
  diff_mode:
    support: none
    details: It changes nothing that is served.
  idempotent:
    support: full
    details: Each look at what a person would see adds two lines to the authority's ledger.
options:
  probes:
    description: The handshakes to make.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the handshake is called in results and errors.
        type: str
        required: true
      host:
        description: The server's name or address.
        type: str
        required: true
      port:
        description: The server's port.
        type: int
        required: true
      server_name:
        description: The name or address that the server's certificate must have. Without it names are not checked.
        type: str
      source_address:
        description: The address of the controller to connect from.
        type: str
      present:
        description:
          - V(nothing) presents no certificate, V(stranger) one that nobody can trust.
          - V(person) presents one that the authority signed as it signs for people.
        type: str
        choices: [nothing, stranger, person]
        default: nothing
      expect:
        description: How the handshake must end, as in M(mutual.tls.handshake).
        type: str
        choices: [accepted, refused]
        default: accepted
      send:
        description: What to write to a server that accepted, as in M(mutual.tls.handshake).
        type: str
      timeout:
        description: Seconds for the connection, and as many for the handshake.
        type: int
        default: 10
  trust_content:
    description: PEM certificates of the CAs that sign for servers.
    type: list
    elements: str
    required: true
  authority:
    description: Who signs where a probe presents what a person has. No CA is made or replaced.
    type: dict
    suboptions:
      path:
        description: The authority's directory on the task's host.
        type: str
        required: true
      passphrase:
        description: What its keys are encrypted under.
        type: str
        required: true
      authorities:
        description: The CAs, as M(mutual.tls.authority) takes them.
        type: list
        elements: dict
        required: true
      name:
        description: The CA that signs for people.
        type: str
        default: clients
seealso:
  - module: mutual.tls.handshake
  - module: mutual.tls.matrix
"""

EXAMPLES = r"""
- name: See whether the console lets nobody in but people with a certificate
  mutual.tls.controller_handshake:
    trust_content: ["{{ lookup('ansible.builtin.file', 'server_ca.crt') }}"]
    probes:
      - {name: nobody, host: console.example.test, port: 443, present: nothing, expect: refused, send: "GET / HTTP/1.0\r\n\r\n"}
      - {name: somebody, host: console.example.test, port: 443, present: person, send: "GET / HTTP/1.0\r\n\r\n"}
    authority:
      path: /var/lib/mutual_tls/authority
      passphrase: "{{ vault_authority_passphrase }}"
      authorities:
        - name: clients
  delegate_to: ca.example.test
  register: seen
"""

RETURN = r"""
results:
  description: How each handshake ended, in the order of O(probes), as RV(mutual.tls.handshake#module:results).
  returned: success, but for check mode
  type: list
  elements: dict
unexpected:
  description: The names of the handshakes that did not end as expected.
  returned: success, but for check mode
  type: list
  elements: str
"""
