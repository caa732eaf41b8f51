#!/bin/sh
# What a real node (`--nodes kubelet`) needs from Debian 12 or newer, and nothing else: run once, as root.
set -eu

if [ "$(id -u)" -ne 0 ]; then
    echo "install-node.sh: run this as root: sudo sh rig/install-node.sh" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "install-node.sh: this is no Debian; install the packages listed in this script your own way" >&2
    exit 1
fi

# A package's own service must not start here: the rig runs its own containerd, in its own network.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# containerd, runc, plugins   run pods and connect them
# iproute2, iptables, nftables, conntrack   the node's network and kube-proxy
# catatonit   the pause image       busybox-static   the web server image
# buildah, mmdebstrap   images from Dockerfiles, on a base made here
# git, openssh-client   pushing to the Git server image
apt-get install -y -qq --no-install-recommends \
    containerd runc containernetworking-plugins \
    iproute2 iptables nftables conntrack \
    catatonit busybox-static \
    buildah mmdebstrap \
    git openssh-client
