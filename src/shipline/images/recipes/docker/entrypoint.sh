#!/bin/sh
# Points the client at a daemon called `docker` where none is named, and takes bare subcommands as Docker's own.
set -eu
if [ $# -eq 0 ]; then set -- sh; fi
case $1 in
    -*) set -- docker "$@" ;;
    *) if ! command -v "$1" >/dev/null && docker help "$1" >/dev/null 2>&1; then set -- docker "$@"; fi ;;
esac
if [ -z "${DOCKER_HOST:-}" ] && [ ! -S /var/run/docker.sock ]; then
    if [ -n "${DOCKER_TLS_CERTDIR:-}" ] && [ -s "$DOCKER_TLS_CERTDIR/client/ca.pem" ]; then
        export DOCKER_HOST=tcp://docker:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="$DOCKER_TLS_CERTDIR/client"
    else
        export DOCKER_HOST=tcp://docker:2375
    fi
fi
exec "$@"
