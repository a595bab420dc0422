#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mediationzone_pico
short_description: Start, stop and restart MediationZone processes in order
version_added: 0.1.0
description:
  - Brings the picos of one container to a state, one after the other, through C(mzsh startup), C(mzsh shutdown) and C(mzsh status).
  - The codes that the product documents are told apart, and so are the failures that it reports as success.
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
    details: Only C(mzsh status) is run in check mode.
  diff_mode:
    support: full
    details: Shows the status of each pico.
  idempotent:
    support: partial
    details: O(state=restarted) restarts each time.
options:
  mzsh:
    description:
      - The path of C(mzsh), which is C(MZ_HOME/bin/mzsh). Only the owner of C(MZ_HOME) may run it, so become that user.
    type: path
    required: true
  picos:
    description:
      - The names of the picos, in the order in which they start. They stop in the reverse order.
    type: list
    elements: str
    required: true
  state:
    description:
      - With V(started), picos that run are left alone; with V(stopped), picos that do not run are.
      - With V(restarted), all are stopped, then all are started.
    type: str
    choices:
      - started
      - stopped
      - restarted
    default: started
  wait:
    description:
      - Whether to wait until the product's own status, and the O(endpoints), say that the state is reached.
    type: bool
    default: true
  timeout:
    description:
      - How many seconds each start and each stop may take, waiting included.
    type: int
    default: 360
  endpoints:
    description:
      - Addresses that must accept TCP connections when their pico has started, and must be free when it has stopped.
    type: list
    elements: dict
    default: []
    suboptions:
      pico:
        description:
          - The pico that listens there; one of O(picos).
        type: str
        required: true
      host:
        description:
          - The host, as it is reached from where the module runs.
        type: str
        default: 127.0.0.1
      port:
        description:
          - The TCP port.
        type: int
        required: true
notes:
  - A pico that is up without contact with the Platform counts as running; RV(picos) tells which.
  - C(JAVA_HOME) and other variables that C(mzsh) needs can be given with C(environment) on the task.
seealso:
  - module: mutual.tls.mediationzone_topology
"""

EXAMPLES = r"""
- name: Restart the Platform, then the Execution Context
  mutual.tls.mediationzone_pico:
    mzsh: /opt/mz/bin/mzsh
    picos:
      - platform
      - ec1
    state: restarted
    endpoints:
      - pico: platform
        port: 6790
  become: true
  become_user: mzadmin
"""

RETURN = r"""
picos:
  description: The picos, in the order of O(picos).
  returned: success, and failure when a pico did not reach its state
  type: list
  elements: dict
  contains:
    name:
      description: The pico.
      type: str
    before:
      description:
        - Its status before, one of V(running), V(running_without_platform), V(not_responding) and V(not_running).
      type: str
    after:
      description: Its status after, or in check mode the expected one; V(failed) when its command failed.
      type: str
    action:
      description: V(none), V(start), V(stop) or V(restart).
      type: str
  sample:
    - name: platform
      before: running
      after: running
      action: restart
pico:
  description: The pico that failed.
  returned: failure, when one did
  type: str
rc:
  description: The exit code of C(mzsh).
  returned: failure, when C(mzsh) reported it
  type: int
log:
  description: Where the log of the pico that failed is.
  returned: failure, when one did
  type: str
  sample: /opt/mz/log/platform.log
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import edge, programs
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import Mzsh
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.picos import Commands, Control, Endpoint


def argument_spec() -> dict[str, Any]:
    return {
        "mzsh": {"type": "path", "required": True},
        "picos": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["started", "stopped", "restarted"], "default": "started"},
        "wait": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 360},
        "endpoints": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "pico": {"type": "str", "required": True},
                "host": {"type": "str", "default": "127.0.0.1"},
                "port": {"type": "int", "required": True},
            },
        },
    }


def converge(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    control = Control(
        Commands(Mzsh(params["mzsh"], programs.run_program)),
        wait=params["wait"],
        timeout=params["timeout"],
        endpoints=[Endpoint(**endpoint) for endpoint in params["endpoints"]],
    )
    picos = control.bring(params["picos"], params["state"], check=module.check_mode)
    return {
        "changed": any(pico.action != "none" for pico in picos),
        "picos": [pico.as_result() for pico in picos],
        "diff": {
            "before": "".join(f"{pico.name}: {pico.before}\n" for pico in picos),
            "after": "".join(f"{pico.name}: {pico.after}{' (restarted)' if pico.action == 'restart' else ''}\n" for pico in picos),
        },
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    edge.run(module, lambda: converge(module))


if __name__ == "__main__":
    main()
