# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.nss_database on the controller: the module runs on the host, and its answer is no more than that."""

from __future__ import annotations

from ansible_collections.mutual.tls.plugins.plugin_utils.on_host import OnHost


class ActionModule(OnHost):
    """Runs the module."""
