# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says of check mode, diff mode and idempotence."""

from __future__ import annotations


class ModuleDocFragment:
    """Each module adds C(support) (and C(details) where it is not C(full)) to these."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check_mode and says what it would change, without changing it.
  diff_mode:
    description: Returns what changes, entry by entry and without secrets, in diff mode.
  idempotent:
    description: A second run with the same options changes nothing.
  action_group:
    description: Use C(group/mutual.tls.all) in C(module_defaults) to set defaults for the modules of this collection.
    support: full
    membership:
      - mutual.tls.all
"""

    # The modules that are action plugins.
    ACTION = r"""
options: {}
attributes:
  action:
    description: Is an action plugin, which runs on the controller.
    support: full
"""

    # The modules that only read.
    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: It only reads.
  diff_mode:
    support: none
    details: It only reads.
  idempotent:
    support: full
    details: It only reads.
"""
