# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MediationZone: the values of its topology registry (STR) and its processes (picos), by its command line, ``mzsh``.

The product is proprietary. What is relied on here is in its public documentation or in public code that drives it; where both are
silent, the words that are looked for stand in one table in ``mzsh``, so that an installation that speaks otherwise needs one line
changed.
"""
