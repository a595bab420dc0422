# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes really made: who is accepted, who is refused, by whom and why.

With TLS 1.3 a refused client sees its own handshake succeed: its certificate travels in its last message, and the
refusal comes after it (RFC 8446, section 2 and appendix E.1.2). So a probe listens on after the handshake, and the
socket's bytes are read here rather than by OpenSSL, because only they tell a server that took us (it sends tickets)
from one that hung up.

The ciphers, versions and security level are those of the host's OpenSSL, as its administrator set them.

Two files are for modules: ``probes`` makes handshakes of which something is expected, ``observation`` measures an
endpoint. Both make each of theirs with ``handshake``, over a ``connection``, as the client that ``context`` makes of an
``identity`` and of whom it trusts.
"""
