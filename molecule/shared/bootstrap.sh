#!/bin/sh
# What an administrator does on a fresh host before Ansible comes: run in it as root, with the public key on standard input.
# The user that Ansible connects as may become the given owner (of the product, or of a desktop) and may ask systemctl: no more.
set -eu
owner=$1
umask 022
cat >/etc/ssh/deploy_keys
useradd --create-home --shell /bin/bash deploy
if [ "$owner" != root ]; then
  useradd --create-home --shell /bin/bash "$owner"
  chmod 0755 "/home/$owner"  # only the files' own modes keep others out
  install -d -o "$owner" -g "$owner" "/home/$owner/mediationzone" /opt/mz
fi
printf 'deploy ALL=(%s) NOPASSWD: ALL\ndeploy ALL=(root) NOPASSWD: /usr/bin/systemctl\n' "$owner" >/etc/sudoers.d/deploy
chmod 0440 /etc/sudoers.d/deploy
visudo --check --quiet
# Root comes with the same key, to prepare the host and to judge it.
printf 'AuthorizedKeysFile /etc/ssh/deploy_keys\nUseDNS no\n' >/etc/ssh/sshd_config.d/deploy.conf
systemctl reload ssh
