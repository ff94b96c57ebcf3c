#!/bin/sh
# Becomes the holder of a node's namespaces. Run by `unshare --net --mount --propagation slave`.
#   $1 the node's folder on the host   $2 the folder of the built programs
# The node gets a /var and a /run of its own: kubelet, containerd and the CNI plugins use fixed
# folders there, and all of it must vanish with the cluster.
set -eu
node=$1
binaries=$2
mkdir -p "$node/run" "$node/etc" "$node/var/log/pods" "$node/var/log/containers" \
    "$node/var/lib/kubelet" "$node/var/lib/containerd" "$node/var/lib/cni" "$node/var/tmp"
mount -t tmpfs -o mode=0755 tmpfs "$node/run"
mkdir -p "$node/run/quorate/bin" "$node/run/quorate/etc" "$node/run/quorate/sysctl" \
    "$node/run/quorate/var" "$node/run/lock"
# Everything is gathered below the new /run first: the node's folder and the programs may lie
# below the /var or /run that are about to be covered.
mount --bind "$binaries" "$node/run/quorate/bin"
mount --bind "$node/var" "$node/run/quorate/var"
mount --bind "$node/etc" "$node/run/quorate/etc"

# The kubelet sets these for the whole kernel; it finds here what it wants and leaves the host's.
pin() {
    file=$node/run/quorate/sysctl/$(echo "$1" | tr / .)
    echo "$2" > "$file"
    mount --bind "$file" "/proc/sys/$1"
}
pin vm/overcommit_memory 1
pin vm/panic_on_oom 0
pin kernel/panic 10
pin kernel/panic_on_oops 1
pin kernel/keys/root_maxkeys 1000000
pin kernel/keys/root_maxbytes 25000000

mount --rbind "$node/run" /run
mount --bind /run/quorate/var /var
ln -sfn /run /var/run
mount --make-rshared /
: > /run/quorate/ready
exec sleep infinity
