# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for netem, where the kernel has none (`tc qdisc add ... netem delay` says that the qdisc kind is unknown).

`delayed_link.py delay INTERFACE MILLISECONDS SECONDS` takes the port INTERFACE out of its bridge, puts a tap device in its place, and
carries every frame between the two, each way that much later. When it is told to end (SIGTERM), when who started it dies, or after that
many seconds, it puts the port back. It says `delaying` as soon as it does. Unlike netem it has no jitter, loses nothing, and its queue
has no end.

`delayed_link.py offload INTERFACE on|off`, in the network of who is at the other end: whoever leaves checksums and segments to its network
card leaves them to this program, which does not make them.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

ETH_P_ALL = 0x0003  # <linux/if_ether.h>
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23  # <linux/socket.h>, <linux/if_packet.h>
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # <linux/if_tun.h>
SIOCETHTOOL = 0x8946  # <linux/sockios.h>
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO = 0x17, 0x1F, 0x24  # <linux/ethtool.h>
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
#: No frame is longer.
LONGEST = 65536


def ip(*arguments: str) -> None:
    """Run `ip link`."""
    subprocess.run(["ip", "link", *arguments], check=True)


def offload(interface: str, wanted: bool) -> None:
    """Let the interface's owner leave checksums and segments to it, or not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in (ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO):
            value = ctypes.create_string_buffer(struct.pack("II", command, wanted))
            fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP", interface.encode(), ctypes.addressof(value)))


def carry(port: socket.socket, tap: int, delay: float, until: float) -> None:
    """Give to each what came from the other *delay* seconds ago."""
    # As all wait equally long, what came first is due first.
    waiting: deque[tuple[float, bool, bytes]] = deque()
    while (now := time.monotonic()) < until:
        while waiting and waiting[0][0] <= now:
            _due, to_tap, frame = waiting.popleft()
            try:
                if to_tap:
                    os.write(tap, frame)
                else:
                    port.send(frame)
            except OSError as error:
                print(f"a frame of {len(frame)} bytes was lost: {error}", file=sys.stderr, flush=True)
        patience = min(waiting[0][0] if waiting else until, until) - time.monotonic()
        for source in select.select([port, tap], [], [], max(0.0, patience))[0]:
            frame = port.recv(LONGEST) if source is port else os.read(tap, LONGEST)
            waiting.append((time.monotonic() + delay, source is port, frame))


def delay(interface: str, milliseconds: float, seconds: float) -> None:
    """Be the bridge's port in the place of *interface*, for so long."""

    def end(_number: int, _frame: object) -> None:
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    device = Path("/sys/class/net", interface)
    bridge = (device / "master").resolve(strict=True).name
    address, mtu = (device / "address").read_text().strip(), (device / "mtu").read_text().strip()
    name = f"late-{interface}"[:15]
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as port:
        port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        port.bind((interface, ETH_P_ALL))
        try:
            # A bridge's address may be that of one of its ports: so the tap takes over the port's. And this machine must not
            # answer by itself what comes in there now.
            ip("set", name, "address", address, "mtu", mtu)
            ip("set", interface, "nomaster", "arp", "off", "address", ":".join(["02", *(secrets.token_hex(1) for _byte in range(5))]))
            ip("set", name, "master", bridge, "up")
            print("delaying", flush=True)
            carry(port, tap, milliseconds / 1000, time.monotonic() + seconds)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            ip("set", interface, "address", address, "arp", "on", "master", bridge)
            os.close(tap)  # the device goes with it


if __name__ == "__main__":
    if sys.argv[1] == "offload":
        offload(sys.argv[2], sys.argv[3] == "on")
    else:
        delay(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
