"""The cluster's network: one bridge of the container engine, and one container on it that is the node.

The node container answers for all Service addresses (it holds the whole range as local, so it answers ARP for
it) and sends them on to pods by iptables in its own network namespace; the host's rules stay as they are. Its
dnsmasq is the pods' name server. The daemon listens on the host's loopback for node ports.

The node image (`shipline/node`) holds a shell, `iptables` (nft and legacy), `ip` and `dnsmasq`.
"""
