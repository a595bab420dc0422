#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Plan what a run changes, and prove that every link will work
version_added: 0.1.0
description:
  - Compares what the inventory asks for with the facts of all members, and returns every change and every restart with its reason.
  - It fails, with all causes named, when something is at fault or when a link between two members would not work.
  - It runs on the controller, changes nothing, and connects to no host. One execution serves all members, so give the task C(run_once).
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
    details: The plan itself says what changes.
  idempotent:
    support: full
    details: It only reads, but for the report at O(path).
options:
  system:
    description: The system, as M(mutual.tls.members) returns it.
    type: dict
    required: true
  collected:
    description:
      - The name of the variable in which each host registered the result of M(mutual.tls.member_info).
      - A member without one was outside of C(--limit), and is never read as gone.
    type: str
    required: true
  stores:
    description: The names of variables in which hosts registered results of M(mutual.tls.keystore). They are laid over what was collected.
    type: list
    elements: str
    default: []
  settings:
    description: As O(stores), for results of the modules that set the product's settings.
    type: list
    elements: str
    default: []
  pem:
    description: The name of a result of M(mutual.tls.pem_files) that is newer than the facts.
    type: str
    default: ""
  gateway:
    description:
      - The name of variables that say, on gateways, whether this run writes what they serve anew (C(changed)), and when that was last
        written (C(modified), seconds since the epoch). What runs has to load it.
    type: str
    default: ""
  authority:
    description:
      - The name of the variable in which the result of M(mutual.tls.authority) in check mode was registered, which says what the authority
        is and what it would change. With another trust model than V(authority) it may be that of M(mutual.tls.authority_info), and what is
        known from it is taken back.
    type: str
  signed:
    description: The name of the variable in which the result of M(mutual.tls.authority) was registered once it signed.
    type: str
  requests:
    description: The name of variables in which hosts registered results of M(mutual.tls.keystore) with C(csr). RV(plan.requests) has those.
    type: str
  wishes:
    description:
      - The name of variables that hold, for each host, the option C(identity) of M(mutual.tls.keystore). They decide what is asked for in
        RV(plan.requests), so they must be set on the controller. Needed with O(requests).
    type: str
  unreachable:
    description: What a member that did not answer means. V(stop) fails, V(skip) plans for the others and says so.
    type: str
    choices: [stop, skip]
    default: stop
  show:
    description: Whether to print the plan as a table.
    type: bool
    default: false
  digest:
    description: The digest of the run's first plan, which later plans of the same run hand on.
    type: str
  path:
    description: A file on the controller in which the plan is written as JSON. There are no secrets in it.
    type: path
  allow_lock_out:
    description: Whether certificates may begin to be required while nobody has one of the people who connect and are no members.
    type: bool
    default: false
  verify:
    description:
      - When the matrix will be made. If it will, and nobody could show whom a server refuses, the task fails now, before anything changes.
    type: str
    choices: [always, on_change, never]
    default: never
seealso:
  - module: mutual.tls.members
  - module: mutual.tls.member_info
  - module: mutual.tls.matrix
"""

EXAMPLES = r"""
- name: Plan what must change, and show it
  mutual.tls.plan:
    system: "{{ product_system.system }}"
    collected: product_member
    show: true
    path: "{{ playbook_dir }}/plan.json"
  register: product_plan
  run_once: true
"""

RETURN = r"""
plan:
  description: The plan. Certificates in it are PEM, and there are no secrets.
  returned: success
  type: dict
  contains:
    state:
      description:
        - V(clean) when there is nothing to do, V(pending) when there is.
        - The file at O(path) may also say V(unprovable), with which the task fails.
      type: str
    changes:
      description:
        - Every change, with C(member), C(what) (V(keystore), V(setting), V(restart) or V(authority)), C(subject), C(action) and
          C(reason).
      type: list
      elements: dict
    identities:
      description: Members whose identity changes.
      type: list
      elements: str
    revoked_keys:
      description: Those among them of whom keys must not be used again, each with the SHA-256 of these public keys.
      type: dict
    cannot_wait:
      description: Those among them whose present identity nobody accepts.
      type: list
      elements: str
    awaited:
      description: Members whose certificate somebody else has yet to sign. They go on with what they have.
      type: list
      elements: str
    without:
      description: Those among them that have nothing that anybody accepts.
      type: list
      elements: str
    self_sign:
      description: Those among them whose certificate an authority signed, and whose own key is to sign it.
      type: list
      elements: str
    install:
      description: The chains that the authority signed and that are to be installed, PEM, by member.
      type: dict
    generations:
      description: The generations of CAs that are replaced, where somebody is revoked and nothing else would help.
      type: dict
    requests:
      description: What M(mutual.tls.authority) or M(mutual.tls.external_authority) is asked to sign, as it takes it.
      type: list
      elements: dict
    copies:
      description: The members that get a copy of a keystore, each with the member whose keystore it is.
      type: dict
    trust:
      description: The members whose trust changes, each with the option C(trusted) of M(mutual.tls.keystore).
      type: dict
    absent_keys:
      description: The members from whose keystore a key of somebody else goes, each with its aliases.
      type: dict
    purge:
      description: The members among those from whose keystore every trusted certificate goes that nobody names.
      type: list
      elements: str
    settings:
      description: The members whose settings change, each with all of them that are not secret.
      type: dict
    bundles:
      description: People who get a bundle, each with the reason.
      type: dict
    needs_bundle:
      description: Whether certificates begin to be required, and nobody of the people has one but those in RV(plan.bundles).
      type: bool
    restarts:
      description: The restarts that are due, with C(member), C(process), C(tier) and C(reason).
      type: list
      elements: dict
    may_roll:
      description: Whether the restarts may follow one another, because old and new certificates are the same.
      type: bool
    links:
      description:
        - Every link with its C(verdict), which is V(holds), V(awaits) an identity that is made in this run, or V(unknown) when a
          side was not reached.
        - The file at O(path) may also have links that fail (V(fails)), with the rule (C(rule)) and the C(reason).
      type: list
      elements: dict
    faults:
      description: Why the run must stop.
      type: list
      elements: str
    notes:
      description: What a person should know and that stops nothing.
      type: list
      elements: str
    digest:
      description: The SHA-256 of the run's first plan. Two runs with one digest were to do the same.
      type: str
    probes:
      description:
        - The handshakes to make, by member, as M(mutual.tls.handshake) takes them; under C((controller\)) those that
          M(mutual.tls.controller_handshake) makes.
      type: dict
    for_person:
      description: Members to which somebody with a certificate is to be seen let in, by M(mutual.tls.controller_handshake).
      type: list
      elements: str
    left_open:
      description: Members that another run, which may be dead, is changing; see M(mutual.tls.transaction).
      type: list
      elements: str
    server_cas:
      description: The CAs that sign for servers, PEM.
      type: list
      elements: str
    listening:
      description: Where each member's processes listen.
      type: dict
    processes:
      description: The processes to restart, by tier and member.
      type: dict
    stop_order:
      description: The tiers with something to restart, in the order of stopping.
      type: list
      elements: str
    start_order:
      description: The tiers with something to restart, in the order of starting.
      type: list
      elements: str
"""
