# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mzsh as a program: one that cannot be run is named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.errors import DependencyError, PeerError
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import Mzsh
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.registry import Registry


def test_a_program_that_is_not_there_or_hangs_is_named() -> None:
    def absent(argv: Sequence[str], stdin: str | None, timeout: float) -> tuple[int, str, str]:
        raise FileNotFoundError

    def hanging(argv: Sequence[str], stdin: str | None, timeout: float) -> tuple[int, str, str]:
        assert timeout == 7
        raise TimeoutError

    with pytest.raises(DependencyError, match="no program '/opt/mz/bin/mzsh'"):
        Registry(Mzsh("/opt/mz/bin/mzsh", absent)).read_common("c")
    with pytest.raises(PeerError, match=r"'mzsh topo get': .* did not finish within 7 s"):
        Registry(Mzsh("/opt/mz/bin/mzsh", hanging, timeout=7)).read_common("c")
