"""The provider ``local``: real Kubernetes binaries on this machine, without Docker.

Layout (one cluster = one checkout; NAME = quorate-HASH):

* The **hub** is a network namespace with a bridge. etcd, the API server, the controller manager,
  the scheduler, CoreDNS and the image registry run in it.
* Every **node** is a network and a mount namespace with containerd, kubelet and kube-proxy.
* The host has one veth into the hub's bridge and routes to nodes, pods and Services through it.

No node is the host itself. kube-proxy's nftables tables have fixed names, the kubelet writes to
fixed folders (/var/log/containers, /run/containerd, /var/lib/cni) and sets kernel-wide sysctls:
two clusters would share all of them, and ``down`` would have to find each one again. In namespaces
of their own they end with the last process, and all clusters can use the same, standard ports.

Every process is started in the cgroup NAME, so ``down`` finds all of them even after a crash
that lost every pid file.
"""
