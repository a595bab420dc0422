#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.outcome, which is an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: outcome
short_description: Say how a run ended, and write it down
version_added: 0.1.0
description:
  - The last task of a run. It gathers what the tasks before it registered on all hosts, and appends one line of JSON to a file on the
    controller, which says who changed what, and how it ended.
  - Of a run that failed it says the first cause, what was undone, whether the system does again what it did before, and what to do.
    Then it fails.
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
  - mutual.tls.attributes.action
attributes:
  check_mode:
    support: full
    details: Nothing is written in check mode.
  diff_mode:
    support: none
    details: It changes no host.
  idempotent:
    support: none
    details: Each run has a line of its own.
options:
  system:
    description: The system, as M(mutual.tls.members) returns it; empty when the run failed before that.
    type: dict
    default: {}
  run:
    description: The run's name, as M(mutual.tls.members) gives one.
    type: str
    default: ''
  verb:
    description: What the run was asked for; the playbook's name.
    type: str
    default: site
  audit_log:
    description: The file that the line is appended to, readable by its owner only when it is made. Empty for none.
    type: path
    default: ''
  failed:
    description: Whether the run failed.
    type: bool
    default: false
  more:
    description: Whether a further step of the same run follows; then it is no failure yet that somebody revoked is still let in.
    type: bool
    default: false
  rollback:
    description: Whether runs that fail are undone, V(always) or V(never).
    type: str
    choices:
      - always
      - never
    default: always
seealso:
  - module: mutual.tls.transaction
"""

EXAMPLES = r"""
- name: Write down what was done
  mutual.tls.outcome:
    system: "{{ product_system.system }}"
    run: "{{ product_system.run }}"
    audit_log: /var/log/mutual_tls_audit.jsonl
  run_once: true
"""

RETURN = r"""
line:
  description: What was appended to the file.
  returned: success
  type: dict
"""
