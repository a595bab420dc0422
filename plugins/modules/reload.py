#!/usr/bin/python
# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.reload."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reload
short_description: Have a server load its files anew while it goes on serving, and wait until it has
version_added: 0.1.0
description:
  - Has the server judge its configuration, reloads it, and waits until every endpoint is served by workers that were started since.
  - nginx answers a reload at once and carries it out later, or not at all when something fails that its check did not see. Whoever looks
    too early sees the old certificate; whoever does not wait never learns that nothing was loaded.
author:
  - mutual.tls contributors (@mutual-tls)
extends_documentation_fragment:
  - mutual.tls.attributes
attributes:
  check_mode:
    support: full
    details: The configuration is judged, and nothing is reloaded.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: It reloads whenever it is asked to.
options:
  check_command:
    description: The program, with its arguments, that judges the configuration. An empty list leaves that out.
    type: list
    elements: str
    default: [nginx, -t]
  reload_command:
    description: The program, with its arguments, that has the server load its files anew, and that starts it where it is down.
    type: list
    elements: str
    default: [systemctl, reload-or-restart, nginx]
  endpoints:
    description: Where the server listens.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called.
        type: str
      host:
        description: The address.
        type: str
        required: true
      port:
        description: The port.
        type: int
        required: true
  listen:
    description:
      - Where else it listens, as nginx's directive C(listen) says it, such as V(443 default_server) or V([::1]:8443). Sockets that are
        files (V(unix:...)) are left out.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for each command, and for the new workers.
    type: int
    default: 60
notes:
  - Whose process listens is read from Linux's C(/proc), which needs the right to look into the server's processes. Without it, that
    somebody listens is all that is waited for.
seealso:
  - module: mutual.tls.pem_files
"""

EXAMPLES = r"""
- name: Reload nginx
  mutual.tls.reload:
    endpoints:
      - {host: console.example.test, port: 443}
"""

RETURN = r"""
rc:
  description: The exit code of the command that failed.
  returned: failure, when one did
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils.edge import run
from ansible_collections.mutual.tls.plugins.module_utils.reloading import Server, listening_at


def argument_spec() -> dict[str, Any]:
    """What the module takes."""
    return {
        "check_command": {"type": "list", "elements": "str", "default": ["nginx", "-t"]},
        "reload_command": {"type": "list", "elements": "str", "default": ["systemctl", "reload-or-restart", "nginx"]},
        "endpoints": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"name": {"type": "str"}, "host": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
        },
        "listen": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "int", "default": 60},
    }


def converge(module: AnsibleModule) -> dict[str, Any]:
    """Reload the server."""
    params = module.params
    endpoints = [(each["host"], each["port"]) for each in params["endpoints"]]
    endpoints += [found for found in map(listening_at, params["listen"]) if found is not None]
    server = Server(params["check_command"], params["reload_command"], endpoints, params["timeout"])
    if module.check_mode:
        server.check()
    else:
        server.reload()
    return {"changed": True}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: converge(module))


if __name__ == "__main__":
    main()
