#!/bin/sh
# Makes the container of one host, unless it is there, and comes back when the host can be reached: create_host.sh NAME ADDRESS OWNER,
# with the public key to let in on standard input, and after -- the command that starts the container.
set -eu
name=$1 address=$2 owner=$3
shift 4
if ! podman container exists "$name"; then
  "$@" >/dev/null
  echo made
  new=yes
fi
for _attempt in $(seq 60); do
  # There is nobody to ask yet at first, and who is asked ends with an error unless all is well.
  state=$(podman exec "$name" systemctl is-system-running --wait 2>&1 || true)
  case $state in running | degraded) up=yes && break ;; esac
  sleep 0.5
done
[ "${up-}" ] || { echo "$name does not come up: $state" >&2 && exit 1; }
[ -z "${new-}" ] || podman exec --interactive "$name" sh /opt/hosts/bootstrap.sh "$owner"
# Also where another host had the address before.
for _attempt in $(seq 60); do
  timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/22" && head --bytes=4 <&3' sh "$address" >/dev/null 2>&1 && exit
  sleep 0.5
done
echo "nobody answers at $address" >&2
exit 1
