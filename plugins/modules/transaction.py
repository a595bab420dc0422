#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: transaction
short_description: Keep a member's files until a run has shown that they work, and put them back if they do not
version_added: 0.1.0
description:
  - Opens a transaction on files of one host before a run changes them, and closes it, or puts every file back, afterwards.
  - While it is open, each file that was there lies beside itself as C(PATH.before~), readable by its owner only, and no other run
    can open one. A run that died leaves it open; the next one from the same controller continues it, so that what can be put back
    is still the last state that was shown to work.
  - What a run has undone is kept beside the file, too, as C(PATH.undone~). Afterwards both are named after the run.
author:
  - mutual.tls contributors (@mutual-tls)
requirements:
  - cryptography >= 3.3 on the managed host
extends_documentation_fragment:
  - mutual.tls.attributes
attributes:
  action:
    description: Has an action plugin, which says for the controller who holds the transaction.
    support: full
  check_mode:
    support: full
    details: Nothing is opened, closed or put back.
  diff_mode:
    support: none
    details: What is put back is named, not shown.
  idempotent:
    support: full
options:
  record:
    description: The file that says who holds the transaction. It is there while the transaction is open.
    type: path
    required: true
  run:
    description: The run's name, as M(mutual.tls.members) gives one.
    type: str
    required: true
  state:
    description:
      - With V(begun), the transaction is opened; with V(ended), closed.
      - With V(proven), it is written down that the system was shown to work. A run that takes the transaction over goes back to that.
      - With V(rolled_back), every file is put back to what it was. What was not there is set aside. The transaction stays open.
    type: str
    choices:
      - begun
      - proven
      - ended
      - rolled_back
    required: true
  files:
    description: What the run may change; for O(state=begun).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file. It need not be there.
        type: path
        required: true
      sha256:
        description:
          - Its fingerprint, as the run's plan knows it; empty for a file that was not there. A file that has another one is an error,
            because somebody else changed it meanwhile.
          - Without it the file may be what it is.
        type: str
      if_present:
        description: Whether a file that is not there now is none of the transaction's, and stays if the run makes it and is undone.
        type: bool
        default: false
  take_over:
    description:
      - The run whose transaction is continued, because it is known to be dead.
      - A run of the same controller whose process is gone is continued without being named.
    type: str
    default: ''
  loaded:
    description:
      - Whether running processes may have read what is put back. Then it gets the present time, so that everybody sees that they must
        be restarted; for O(state=rolled_back).
    type: bool
    default: true
  keep:
    description: Of how many runs the copies are kept; for O(state=ended).
    type: int
    default: 3
  holder:
    description:
      - Who opens the transaction. The action plugin sets it.
      - With O(state=ended), who opened one of another run. It is closed only if that is a run of this controller which is dead.
    type: dict
    default: {}
seealso:
  - module: mutual.tls.keystore
  - module: mutual.tls.mediationzone_topology
"""

EXAMPLES = r"""
- name: Open a transaction
  mutual.tls.transaction:
    record: /opt/mz/keys.transaction
    run: "{{ product_system.run }}"
    state: begun
    files:
      - path: /opt/mz/keys
        sha256: "{{ product_member.store.sha256 | default('', true) }}"

- name: Put everything back
  mutual.tls.transaction:
    record: /opt/mz/keys.transaction
    run: "{{ product_system.run }}"
    state: rolled_back
"""

RETURN = r"""
continues:
  description: The dead runs whose transaction this one continues, oldest first.
  returned: with O(state=begun)
  type: list
  elements: str
files:
  description: What became of each file.
  returned: with O(state=rolled_back)
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    action:
      description: V(none) (the run had not changed it), V(restored), or V(set_aside) (the run had made it).
      type: str
    undone:
      description: Where the run's version of it is kept.
      type: str
  sample:
    - path: /opt/mz/keys
      action: restored
      undone: /opt/mz/keys.undone~
held_run:
  description: The run that holds the transaction.
  returned: failure, when another run holds it
  type: str
held_by:
  description: Who runs it.
  returned: failure, when another run holds it
  type: dict
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import edge, transactions


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    file = {
        "path": {"type": "path", "required": True},
        "sha256": {"type": "str"},
        "if_present": {"type": "bool", "default": False},
    }
    return {
        "record": {"type": "path", "required": True},
        "run": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["begun", "proven", "ended", "rolled_back"], "required": True},
        "files": {"type": "list", "elements": "dict", "default": [], "options": file},
        "take_over": {"type": "str", "default": ""},
        "loaded": {"type": "bool", "default": True},
        "keep": {"type": "int", "default": 3},
        "holder": {"type": "dict", "default": {}},
    }


def carry_out(params: dict[str, Any]) -> dict[str, Any]:
    """Bring the transaction to the state that is asked for. What it does to its own files is no change of the member."""
    if params["state"] == "begun":
        continues = transactions.begin(
            params["record"],
            params["run"],
            params["holder"],
            [file["path"] for file in params["files"] if os.path.exists(file["path"]) or not file["if_present"]],
            expected={file["path"]: file["sha256"] or None for file in params["files"] if file["sha256"] is not None},
            take_over=params["take_over"] or None,
        )
        return {"changed": False, "continues": continues}
    if params["state"] == "proven":
        transactions.prove(params["record"], params["run"])
        return {"changed": False}
    if params["state"] == "ended":
        transactions.end(params["record"], params["run"], keep=params["keep"])
        return {"changed": False}
    restored = transactions.roll_back(params["record"], params["run"], loaded=params["loaded"])
    return {"changed": any(file.action != "none" for file in restored), "files": [file.to_dict() for file in restored]}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    edge.run(module, lambda: {"changed": False} if module.check_mode else carry_out(module.params))


if __name__ == "__main__":
    main()
