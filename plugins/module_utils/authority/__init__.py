# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private certificate authority in a directory of one host.

``wishes.py`` says what it should be and what it is asked for, ``requests.py`` judges signing requests, ``certificates.py`` makes X.509,
``ledger.py`` remembers what was issued and revoked, ``directory.py`` holds keys and files, ``issuing.py`` does all of one run.
``elsewhere.py`` does all of one run where the authority is somebody else's.
"""
