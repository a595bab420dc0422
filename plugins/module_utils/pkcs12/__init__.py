# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 (RFC 7292) as Java's keystore reads and writes it: bytes to entries and back.

What Java adds to the RFC, each judged by keytool in the interop tests:

* an alias is the friendlyName in lower case; entries without one are numbered; of two with one alias the later is the entry;
* a key and its leaf share a localKeyId, ``Time <milliseconds>``, from which the entry's date comes; else they share the alias;
* a certificate is a trusted entry if and only if it carries the trusted-key-usage attribute;
* a key's chain is rebuilt from all certificates in the file, whatever their order.
"""

from __future__ import annotations

from ansible_collections.mutual.tls.plugins.module_utils.pkcs12.reader import is_pkcs12, read
from ansible_collections.mutual.tls.plugins.module_utils.pkcs12.writer import write

__all__ = ["is_pkcs12", "read", "write"]
