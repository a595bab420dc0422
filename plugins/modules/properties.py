#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: properties
short_description: Set and remove single values of a key/value file
version_added: 0.1.0
description:
  - Brings the named values of a Java properties file, or of another flat key/value file, to what is asked for.
  - Comments, order, line ends and every value that is not named stay byte for byte as they are.
  - Secrets can be stored in the form into which the product's own program encrypts them. That form is another one each time, so a
    salted verifier (the I(seal)) is stored beside them; as long as it holds, a secret is not encrypted again.
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - ansible.builtin.files
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
    details: The program in O(encrypt) is not run in check mode.
  diff_mode:
    support: full
    details: Shows the managed names only, never the whole file.
  idempotent:
    support: full
options:
  path:
    description:
      - The file. A symbolic link is followed.
    type: path
    required: true
  format:
    description:
      - V(java_properties) is what C(java.util.Properties) reads. A file that is not UTF-8 is taken for Latin-1; other characters than
        ASCII are written as C(\uXXXX), which Java reads the same in both.
      - V(colon) is a file of flat lines, each a name, a colon, a blank and a value, such as Apache Flink's C(config.yaml). Values are
        quoted only where YAML would read something else. A name that lies below a nested block is refused.
      - V(nginx) is a file of nginx's directives, each on a line of its own and none in a block, to be included where they belong.
    type: str
    choices:
      - java_properties
      - colon
      - nginx
    default: java_properties
  values:
    description:
      - The values by name. Null means that the name is to be absent.
      - Booleans become V(true) and V(false), numbers their digits.
    type: dict
    default: {}
  secrets:
    description:
      - The secrets by name, in plain text. They are never shown.
      - With O(encrypt), they are stored in encrypted form, under one seal. Without it they are stored as they are.
    type: dict
    default: {}
  encrypted:
    description:
      - Secrets by name that already are in the product's encrypted form. They are stored and compared as they are, and never shown.
    type: dict
    default: {}
  encrypt:
    description:
      - How the secrets in O(secrets) are encrypted.
    type: dict
    suboptions:
      command:
        description:
          - The program with its arguments. It prints the encrypted form as its only line.
        type: list
        elements: str
        required: true
      handover:
        description:
          - How the program is given the secret, V(stdin) as one line on its standard input or V(argument) as its last argument.
          - With V(argument), every user of the host can read the secret in the list of processes while the program runs.
        type: str
        choices:
          - stdin
          - argument
        default: stdin
      timeout:
        description:
          - How many seconds the program may run for one secret.
        type: int
        default: 120
  seal_name:
    description:
      - The name under which the seal of the secrets is stored.
      - Tasks that manage different secrets in one file need different names. When there are no secrets any more, set this name to
        null in O(values).
    type: str
    default: mutual.tls.seal
  create:
    description:
      - Whether to make the file when it does not exist and a value is to be set. A new file has the mode C(0600) unless O(mode) says
        otherwise.
    type: bool
    default: true
  backup:
    description:
      - Keep a copy of the file as it was, with mode C(0600), beside it. It holds the secrets of before.
    type: bool
    default: false
notes:
  - The file is replaced as a whole, in one step; O(unsafe_writes) has no effect.
  - Who can read the seal can try passwords against it, as against the keystore that they open.
seealso:
  - module: mutual.tls.mediationzone_topology
"""

EXAMPLES = r"""
- name: Let the service demand client certificates
  mutual.tls.properties:
    path: /etc/app/server.properties
    values:
      ssl.client.auth: required
      ssl.truststore.password: null
    secrets:
      ssl.keystore.password: "{{ app_keystore_password }}"

- name: Store the password in the form that the product's own program makes
  mutual.tls.properties:
    path: /opt/app/conf/tls.properties
    values:
      tls.keystore: /opt/app/keys
    secrets:
      tls.keystore.password: "{{ app_keystore_password }}"
    encrypt:
      command: [/opt/app/bin/encrypt]
    owner: app
    mode: "0600"
    backup: true

- name: Switch on mutual TLS between the processes of Apache Flink
  mutual.tls.properties:
    path: /opt/flink/conf/config.yaml
    format: colon
    values:
      security.ssl.internal.enabled: true
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /etc/app/server.properties
changes:
  description: What changed, or in check mode would change, in the order in which it was written.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The setting, or the path for a change of the file's attributes.
      type: str
    action:
      description: V(set), V(remove) or V(attributes).
      type: str
    reason:
      description: Why.
      type: str
  sample:
    - name: ssl.client.auth
      action: set
      reason: its value differs
backup_file:
  description: The copy of the file as it was.
  returned: when O(backup=true), the file existed and its content changed
  type: str
  sample: /etc/app/server.properties.1234.2026-01-31@12:00:00~
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import edge, files, programs, properties_file, seals, settings
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError


def argument_spec() -> dict[str, Any]:
    return {
        "path": {"type": "path", "required": True},
        "format": {"type": "str", "choices": list(properties_file.FORMATS), "default": "java_properties"},
        "values": {"type": "dict", "default": {}},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
        "encrypted": {"type": "dict", "default": {}, "no_log": True},
        "encrypt": {
            "type": "dict",
            "options": {
                "command": {"type": "list", "elements": "str", "required": True},
                "handover": {"type": "str", "choices": ["stdin", "argument"], "default": "stdin"},
                "timeout": {"type": "int", "default": 120},
            },
        },
        "seal_name": {"type": "str", "default": seals.DEFAULT_SEAL_NAME},
        "create": {"type": "bool", "default": True},
        "backup": {"type": "bool", "default": False},
    }


def desired_settings(params: dict[str, Any]) -> settings.Desired:
    secrets = settings.secret_values(params["secrets"], "secrets")
    encrypted = settings.secret_values(params["encrypted"], "encrypted")
    both = sorted(set(secrets) & set(encrypted))
    if both:
        raise InputError(f"The setting '{both[0]}' is in 'secrets' and in 'encrypted'; name it once.", name=both[0])
    if not params["encrypt"]:
        # Stored as they are, so they can be compared as they are.
        secrets, encrypted = {}, {**encrypted, **secrets}
    return settings.Desired(settings.plain_values(params["values"]), secrets, encrypted, params["seal_name"])


def existing(path: str, create: bool, check: bool) -> bytes | None:
    try:
        content = files.read_if_present(path)
    except IsADirectoryError:
        raise InputError(f"{path} is a directory; 'path' must name a file.") from None
    if content is None and not create:
        raise InputError(f"{path} does not exist, and 'create' is false.")
    # Another task of the play may make the directory: not in check mode.
    if content is None and not check and not os.path.isdir(os.path.dirname(os.path.realpath(path))):
        raise InputError(f"{path} cannot be made: its directory does not exist.")
    return content


def edited(document: properties_file.Document, writes: dict[str, str | None]) -> bytes:
    for name, value in writes.items():
        if value is None:
            document.remove(name)
        else:
            document.set(name, value)
    return document.content


def converge(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    path = params["path"]
    desired = desired_settings(params)
    before = existing(path, params["create"], module.check_mode)
    document = properties_file.read(before or b"", params["format"])
    actual = {name: value for name in desired.names if (value := document.get(name)) is not None}
    planned = settings.plan(desired, actual)
    result: dict[str, Any] = {
        "path": path,
        "changed": bool(planned),
        "changes": [change.as_result() for change in planned],
        "diff": settings.diff(desired, actual, planned, path),
    }

    def encrypt(secret: str) -> str:
        if module.check_mode:
            return "(not encrypted in check mode)"
        how = params["encrypt"]
        text = seals.encrypt(programs.run_program, how["command"], secret, how["handover"], how["timeout"])
        module.no_log_values.add(text)
        return text

    if planned:
        content = edited(document, settings.settle(desired, actual, planned, encrypt))
        if not module.check_mode:
            if params["backup"] and before is not None:
                result["backup_file"] = files.keep_copy(path)
            files.write_atomically(path, content, mode=0o600)
    if os.path.exists(path):
        attributes = module.load_file_common_arguments(params, path=os.path.realpath(path))
        if module.set_fs_attributes_if_different(attributes, False):
            result["changed"] = True
            reason = "the file's owner, group, mode or other attributes differ"
            result["changes"].append({"name": path, "action": "attributes", "reason": reason})
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, add_file_common_args=True)
    edge.run(module, lambda: converge(module))


if __name__ == "__main__":
    main()
