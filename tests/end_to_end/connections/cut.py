# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection plugin `cut`: this machine, as long as the file that the host's ``cut_file`` names is not there."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: cut
short_description: A local connection that can be cut
description: For tests of what a run does when a host is gone.
author: mutual.tls contributors
options:
  cut_file:
    description: The host does not answer while this file is there.
    type: path
    required: true
    vars:
      - name: cut_file
extends_documentation_fragment: connection_pipelining
"""


class Connection(Local):
    """The local connection, and a wire that can be cut."""

    transport = "cut"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command, unless the host is gone."""
        self._listen()
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file, unless the host is gone."""
        self._listen()
        super().put_file(in_path, out_path)

    def _listen(self) -> None:
        cut: Any = self.get_option("cut_file")
        if os.path.exists(cut):
            raise AnsibleConnectionFailure(f"no route to the host: {cut} is there")
