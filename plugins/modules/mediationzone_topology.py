#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mediationzone_topology
short_description: Set values of a MediationZone container in the topology registry
version_added: 0.1.0
description:
  - Brings the named values in the C(common) object of one container to what is asked for, through C(mzsh topo).
  - All values are staged, validated, and then made active at once. When staging or validating fails, what was staged is put back.
  - Passwords are stored as C(mzsh encryptpassword) encrypts them, which gives another text each time, so a salted verifier (the
    I(seal)) is stored beside them; as long as it holds, they are not encrypted again.
  - Running processes do not see the values until they are restarted; see M(mutual.tls.mediationzone_pico).
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
    details: Only C(topo get) and C(topo diff) are run in check mode.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  mzsh:
    description:
      - The path of C(mzsh), which is C(MZ_HOME/bin/mzsh). Only the owner of C(MZ_HOME) may run it, so become that user.
    type: path
    required: true
  container:
    description:
      - The name of the container whose values are managed. It need not be the one of O(mzsh).
    type: str
    required: true
  values:
    description:
      - The values by name. Null means that the name is to be absent.
      - Booleans become V(true) and V(false), numbers their digits.
      - A value is written as it is. C(${mz.home}) in it is not replaced by the registry; give full paths.
    type: dict
    default: {}
  secrets:
    description:
      - The passwords by name, in plain text. They are stored encrypted, under one seal, and never shown.
    type: dict
    default: {}
  encrypted:
    description:
      - Passwords by name that already are in the form of C(mzsh encryptpassword). They are stored and compared as they are, and
        never shown.
    type: dict
    default: {}
  handover:
    description:
      - How C(mzsh encryptpassword) is given a password, V(stdin) as one line on its standard input or V(argument) as its last argument.
      - The product's manual does not say whether it reads its standard input. With V(argument), every user of the host can read the
        password in the list of processes while the command runs.
    type: str
    choices:
      - stdin
      - argument
    default: stdin
  seal_name:
    description:
      - The name under which the seal of the passwords is stored, in the same object.
      - Tasks that manage different passwords of one container need different names. When there are no passwords any more, set this
        name to null in O(values).
    type: str
    default: mutual.tls.seal
  state:
    description:
      - With V(present), the values are what O(values), O(secrets) and O(encrypted) say.
      - With V(rolled_back), they are what they were before O(run) changed them; nothing is done if it did not.
    type: str
    choices:
      - present
      - rolled_back
    default: present
  run:
    description:
      - The run that changes the values, as M(mutual.tls.members) names one.
    type: str
  continues:
    description:
      - The dead runs that O(run) continues, as RV(mutual.tls.transaction#module:continues) has them. What the oldest of them kept counts.
    type: list
    elements: str
    default: []
  keep_path:
    description:
      - Where the values are kept, as C(KEEP_PATH.RUN.before~), readable by its owner only. Its directory must be there.
    type: path
  keep:
    description:
      - Of how many runs the values are kept.
    type: int
    default: 3
  allow_disconnected:
    description:
      - Work on the cached registry when the Platform cannot be reached (C(--allow-disconnected)).
    type: bool
    default: false
  timeout:
    description:
      - How many seconds each call of C(mzsh) may take.
    type: int
    default: 120
notes:
  - Changes that somebody else has staged would become active with these, so with some of them there the task fails and changes nothing.
  - C(JAVA_HOME) and other variables that C(mzsh) needs can be given with C(environment) on the task.
  - Who can read the seal can try passwords against it, as against the keystore that they open.
seealso:
  - module: mutual.tls.mediationzone_pico
  - module: mutual.tls.properties
"""

EXAMPLES = r"""
- name: Give an Execution Container its keystore and let it demand client certificates
  mutual.tls.mediationzone_topology:
    mzsh: /opt/mz/bin/mzsh
    container: exec1
    values:
      pico.rcp.tls.keystore: /opt/mz/keys
      pico.rcp.tls.keystore.alias: exec1
      pico.rcp.tls.require_clientauth: true
    secrets:
      pico.rcp.tls.keystore.password: "{{ mtls_keystore_password }}"
      pico.rcp.tls.key.password: "{{ mtls_keystore_password }}"
  become: true
  become_user: mzadmin

- name: Take TLS off again
  mutual.tls.mediationzone_topology:
    mzsh: /opt/mz/bin/mzsh
    container: exec1
    values:
      pico.rcp.tls.keystore: null
      pico.rcp.tls.keystore.alias: null
      pico.rcp.tls.keystore.password: null
      pico.rcp.tls.key.password: null
      pico.rcp.tls.require_clientauth: null
      mutual.tls.seal: null
  become: true
  become_user: mzadmin
"""

RETURN = r"""
container:
  description: The container.
  returned: success
  type: str
  sample: exec1
changes:
  description: What changed, or in check mode would change.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the value.
      type: str
    action:
      description: V(set) or V(remove).
      type: str
    reason:
      description: Why.
      type: str
  sample:
    - name: pico.rcp.tls.require_clientauth
      action: set
      reason: it is not there
activated:
  description: Whether the registry was changed and made active.
  returned: success
  type: bool
  sample: true
staged:
  description: The staged changes of others that were in the way, or our values that were staged when it failed; without their values.
  returned: failure, when there are some
  type: list
  elements: str
"""

import json
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import edge, files, programs, seals, settings, transactions
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import Mzsh
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.registry import Outcome, Registry, reconcile


def argument_spec() -> dict[str, Any]:
    return {
        "mzsh": {"type": "path", "required": True},
        "container": {"type": "str", "required": True},
        "values": {"type": "dict", "default": {}},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
        "encrypted": {"type": "dict", "default": {}, "no_log": True},
        "handover": {"type": "str", "choices": ["stdin", "argument"], "default": "stdin"},
        "seal_name": {"type": "str", "default": seals.DEFAULT_SEAL_NAME},
        "state": {"type": "str", "choices": ["present", "rolled_back"], "default": "present"},
        "run": {"type": "str"},
        "continues": {"type": "list", "elements": "str", "default": []},
        "keep_path": {"type": "path"},
        "keep": {"type": "int", "default": 3, "no_log": False},
        "allow_disconnected": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 120},
    }


def converge(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    rolled_back = params["state"] == "rolled_back"
    desired = before(params) if rolled_back else wished(params)
    if desired is None:
        return {"container": params["container"], "changed": False, "changes": [], "activated": False}
    mzsh = Mzsh(params["mzsh"], programs.run_program, timeout=params["timeout"])

    def bring(*, allow_disconnected: bool) -> Outcome:
        return reconcile(
            Registry(mzsh, allow_disconnected=allow_disconnected),
            params["container"],
            desired,
            handover=params["handover"],
            check=module.check_mode,
            keep=None if rolled_back or params["keep_path"] is None else lambda values: keep(params, values),
        )

    with files.alone_at(params["mzsh"], wait=params["timeout"]):  # what is staged meanwhile would become active with ours
        try:
            outcome = bring(allow_disconnected=params["allow_disconnected"])
        except PeerError as error:
            if not rolled_back:
                raise
            try:  # the Platform may be down because of what is undone
                outcome = bring(allow_disconnected=True)
            except PeerError:
                raise error from None  # this is the one that tells the cause
    return {
        "container": params["container"],
        "changed": bool(outcome.changes),
        "changes": [change.as_result() for change in outcome.changes],
        "activated": outcome.activated,
        "diff": dict(outcome.diff),
    }


def wished(params: dict[str, Any]) -> settings.Desired:
    """The values that the options ask for."""
    return settings.Desired(
        settings.plain_values(params["values"]),
        settings.secret_values(params["secrets"], "secrets"),
        settings.secret_values(params["encrypted"], "encrypted"),
        params["seal_name"],
    )


def keep(params: dict[str, Any], values: Mapping[str, str | None]) -> None:
    """Write down what the values were, unless a dead run that this one continues has done so, or this run itself."""
    for run in [*params["continues"], params["run"]]:
        content = files.read_if_present(transactions.copy_of(params["keep_path"], run))
        if content is not None:
            break
    else:
        content = json.dumps({"container": params["container"], "values": values}, indent=2).encode()
    files.write_atomically(transactions.copy_of(params["keep_path"], params["run"]), content)
    transactions.prune(params["keep_path"], params["keep"], spare=[*params["continues"], params["run"]])


def before(params: dict[str, Any]) -> settings.Desired | None:
    """The values as they were before the run, and before the dead ones that it continues; None when none of them changed any."""
    for run in [*params["continues"], params["run"]]:
        path = transactions.copy_of(params["keep_path"], run)
        content = files.read_if_present(path)
        if content is not None:
            kept = json.loads(content)
            if kept["container"] != params["container"]:
                raise InputError(
                    f"{path} holds the values of the container '{kept['container']}', not of '{params['container']}'.", path=path
                )
            return settings.Desired(kept["values"], seal_name=params["seal_name"])
    return None


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_if=[("state", "rolled_back", ["run", "keep_path"])],
        required_by={"keep_path": "run"},
        supports_check_mode=True,
    )
    edge.run(module, lambda: converge(module))


if __name__ == "__main__":
    main()
