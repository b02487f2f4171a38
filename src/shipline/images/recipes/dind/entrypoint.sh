#!/bin/sh
# Starts dockerd inside a container. Arguments that begin with a dash go to dockerd, as with Docker's own image:
# a unix socket, and tcp on 2375 (plain, when DOCKER_TLS_CERTDIR is empty) or 2376 (with certificates made there).
set -eu
case ${1:-} in
    '' | -*)
        if [ -n "${DOCKER_TLS_CERTDIR:-}" ]; then
            docker-certificates "$DOCKER_TLS_CERTDIR"
            server=$DOCKER_TLS_CERTDIR/server
            set -- --host=tcp://0.0.0.0:2376 --tlsverify --tlscacert="$server/ca.pem" \
                --tlscert="$server/cert.pem" --tlskey="$server/key.pem" "$@"
        else
            # dockerd pauses for every start that it finds insecure, unless it is told that this is meant.
            case " $* " in *" --tls"*) ;; *) set -- --tls=false "$@" ;; esac
            set -- --host=tcp://0.0.0.0:2375 "$@"
        fi
        set -- dockerd --host=unix:///var/run/docker.sock "$@"
        ;;
esac
if [ "$1" != dockerd ]; then exec "$@"; fi

# What an earlier run of this same container left.
rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid

# The older iptables where the kernel has no nf_tables for the newer one.
if ! iptables-nft -nL >/dev/null 2>&1 && iptables-legacy -nL >/dev/null 2>&1; then
    update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null
    update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy >/dev/null
fi

# Nested containers share mounts with nobody outside.
mount --make-rshared / 2>/dev/null || :
# With cgroups v2 a group that has children may hold no process itself: move out, then hand the controllers down.
if [ -f /sys/fs/cgroup/cgroup.controllers ] && mkdir -p /sys/fs/cgroup/init 2>/dev/null; then
    xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || :
    sed 's/^/+/; s/ / +/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || :
fi
# tini passes signals on and reaps; without CAP_SYS_RESOURCE the daemon may not lower its own OOM score.
exec tini -s -- "$@" --oom-score-adjust=0
