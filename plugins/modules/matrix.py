#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: matrix
short_description: Join the handshakes of all hosts in one table, and judge the run by them
version_added: 0.1.0
description:
  - Prints one table of all handshakes that the members made, those that ended otherwise than they should first.
  - It fails when one of them did, when one that was planned was not made, and when nobody could show whom a server refuses.
  - It runs on the controller, and connects to no host. One execution serves all members, so give the task C(run_once).
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.action
attributes:
  check_mode:
    support: full
    details: It only reads, but for the report at O(path), which is written in check mode, too.
  diff_mode:
    support: none
    details: It only reads.
  idempotent:
    support: full
    details: It only reads, but for the report at O(path).
options:
  system:
    description: The system, as M(mutual.tls.members) returns it.
    type: dict
    required: true
  collected:
    description: The name of the variable in which each host registered the result of M(mutual.tls.member_info).
    type: str
    required: true
  stores:
    description: The names of variables in which hosts registered results of M(mutual.tls.keystore). They are laid over what was collected.
    type: list
    elements: str
    default: []
  handshakes:
    description:
      - The name of the variable in which each host registered the result of M(mutual.tls.handshake), made with
        O(mutual.tls.handshake#module:report_only=true).
    type: str
    required: true
  from_controller:
    description: The result of M(mutual.tls.controller_handshake), where people connect who are no members.
    type: dict
    default: {}
  for_person:
    description: Members to which somebody with a certificate was to be seen let in, as M(mutual.tls.plan) returns them.
    type: list
    elements: str
    default: []
  without:
    description: Members whose handshakes are not expected, because somebody else has yet to sign for them.
    type: list
    elements: str
    default: []
  revoked:
    description:
      - What it means that a revoked member is still accepted, as its own host says. V(fail) fails. V(tell) only returns it, for a run
        that is not to be undone because of what a revoked host says.
    type: str
    choices: [fail, tell]
    default: fail
  path:
    description: A file on the controller in which the matrix is written as JSON.
    type: path
seealso:
  - module: mutual.tls.handshake
  - module: mutual.tls.plan
"""

EXAMPLES = r"""
- name: Make the member's handshakes
  mutual.tls.handshake:
    keystore:
      path: /opt/mz/keys
      password: "{{ vault_keystore_password }}"
      alias: "{{ product_system.members[inventory_hostname].key_alias }}"
    probes: "{{ product_plan.plan.probes[inventory_hostname] }}"
    report_only: true
  register: handshake_results
  when: inventory_hostname in product_plan.plan.probes

- name: Show them as one table
  mutual.tls.matrix:
    system: "{{ product_system.system }}"
    collected: product_member
    handshakes: handshake_results
  run_once: true
"""

RETURN = r"""
links:
  description: Every handshake that was planned, and how it ended.
  returned: success
  type: list
  elements: dict
  contains:
    client:
      description: Who the client is; a member, or nobody who is known.
      type: str
    from:
      description: The member from whose host it was tried.
      type: str
    server:
      description: The member that it was tried at.
      type: str
    address:
      description: The server's address and port.
      type: str
      sample: 192.0.2.11:6790
    expect:
      description: V(accepted) or V(refused).
      type: str
    outcome:
      description: As M(mutual.tls.handshake) returns it, or V(not_made).
      type: str
    as_expected:
      description: Whether it ended as it should.
      type: bool
    reason:
      description: The alert's or the verifier's own name.
      type: str
      sample: certificate_required
    protocol:
      description: The protocol's version.
      type: str
      sample: TLSv1.3
    served_sha256:
      description: The fingerprint of the certificate that the server presented.
      type: str
still_accepted:
  description: A sentence for each handshake of a revoked member that did not end as it should.
  returned: success
  type: list
  elements: str
notes:
  description: What was not tried, and why.
  returned: success
  type: list
  elements: str
"""
