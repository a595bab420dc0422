# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says in one sentence why this Python cannot make the virtual environment, or nothing if it can.

It is written so that any Python can read it, 2.7 included: too old a Python must get the sentence, not a syntax error.
"""

import platform
import sys

# ansible-core 2.19 is the newest that 3.11 runs; what runs on 3.10 and older is no longer maintained.
OLDEST = (3, 11)

here = "Python " + platform.python_version() + " (" + (sys.executable or "unknown path") + ")"

if sys.version_info < OLDEST:
    sys.exit(here + " is too old: mutual.tls is set up with Python 3.11 or newer; name one, for example `make setup PYTHON=python3.12`.")

try:
    import ensurepip
    import venv

    # Debian's ensurepip can be imported, and then has nothing to install.
    missing = not (hasattr(venv, "create") and hasattr(ensurepip, "version"))
except ImportError:
    missing = True

if missing:
    sys.exit(
        here + " has no complete `venv` module: install it (Debian and Ubuntu: `apt install python3-venv`) "
        "or name another Python, for example `make setup PYTHON=/usr/local/bin/python3`."
    )
