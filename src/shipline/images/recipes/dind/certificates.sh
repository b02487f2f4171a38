#!/bin/sh
# Makes an authority, a server certificate for this host's names and a client certificate, below the folder given.
# What is there and still good for a day stays.
set -eu
folder=$1
umask 077
mkdir -p "$folder/ca" "$folder/server" "$folder/client"
cd "$folder"
quietly() { "$@" >/dev/null 2>&1; }
fresh() { [ -s "$1" ] && quietly openssl x509 -in "$1" -checkend 86400 -noout; }

if ! fresh ca/cert.pem; then
    quietly openssl req -x509 -newkey rsa:3072 -nodes -days 825 -subj "/CN=docker:dind CA" \
        -keyout ca/key.pem -out ca/cert.pem
    rm -f server/cert.pem client/cert.pem
fi
issue() { # WHO NAME EXTENSIONS
    fresh "$1/cert.pem" && return
    printf '%s\n' "$3" >"$1/extensions"
    quietly openssl req -new -newkey rsa:3072 -nodes -subj "/CN=$2" -keyout "$1/key.pem" -out "$1/request.pem"
    quietly openssl x509 -req -in "$1/request.pem" -CA ca/cert.pem -CAkey ca/key.pem -CAcreateserial -days 825 \
        -extfile "$1/extensions" -out "$1/cert.pem"
    cp ca/cert.pem "$1/ca.pem"
    rm "$1/request.pem" "$1/extensions"
}
addresses=$(hostname -I 2>/dev/null | sed 's/ *$//; s/  */,IP:/g')
names="DNS:localhost,DNS:docker,DNS:$(hostname),IP:127.0.0.1${addresses:+,IP:$addresses}"
issue server docker:dind "subjectAltName=$names${DOCKER_TLS_SAN:+,$DOCKER_TLS_SAN}
extendedKeyUsage=serverAuth"
issue client docker:dind-client "extendedKeyUsage=clientAuth"
# The client's half is read by the job's container, whoever that runs as.
chmod 755 . client
chmod 644 client/*
