# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where the core meets a module: results go out, errors become sentences."""

from __future__ import annotations

from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual.tls.plugins.module_utils import crypto
from ansible_collections.mutual.tls.plugins.module_utils.errors import MtlsError


def run(module: AnsibleModule, body: Callable[[], dict[str, Any]]) -> NoReturn:
    """Run *body* and end the module with what it returns, or with its error as ``msg``."""
    try:
        crypto.require()
        result = body()
        module.exit_json(**result)
    except MtlsError as error:
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        module.fail_json(msg=f"The operating system refused: {error.strerror or error}{where}.", errno=error.errno)
    raise AssertionError("a module's exit never returns")
