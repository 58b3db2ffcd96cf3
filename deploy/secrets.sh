#!/bin/sh
# Make what a deployment keeps secret: passwords, the URLs with them, the servers' users, an authority
# for TLS and the servers' certificates. docker-compose.yml takes the files as they are.
#
#   sh deploy/secrets.sh [FOLDER]           FOLDER is ./secrets unless given
#
# What is there already stays: delete a file, or a folder in it, to have it made anew. The hosts by
# which the servers are reached: VALKEY_HOST, VALKEY_PORT, POSTGRES_HOST, POSTGRES_PORT.
set -eu
umask 077

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
folder=${1:-secrets}
valkey=${VALKEY_HOST:-valkey}:${VALKEY_PORT:-6379}
postgres=${POSTGRES_HOST:-postgres}:${POSTGRES_PORT:-5432}
# Where the processes find the authority's certificate: with their other secrets.
ca=${CA_FILE:-/run/secrets/ca.crt}

command -v openssl >/dev/null || { echo "secrets.sh: openssl is needed" >&2; exit 1; }
# The folder is its owner's alone; within it files are for all, because an engine hands them to
# processes of other users, each to those that it is meant for.
mkdir -p "$folder"
cd "$folder"
chmod 700 .

# keep FILE: write standard input there, unless it is there.
keep() {
  if [ -e "$1" ]; then cat >/dev/null; return; fi
  mkdir -p "$(dirname "$1")"
  cat >"$1.new"
  chmod 444 "$1.new"
  mv "$1.new" "$1"
}

password() { openssl rand -hex 24; }

for user in api worker cron query replica admin; do password | keep "valkey/$user"; done
password | keep grafana/admin
for role in superuser owner worker query backup; do password | keep "postgres/$role"; done

# What the services and their pages sign with.
openssl rand -base64 32 | keep api/itemledger_token_secret
keep query/itemledger_token_secret <api/itemledger_token_secret
keep console/itemledger_token_secret <api/itemledger_token_secret
password | keep query/itemledger_cursor_secret

for process in api worker cron query; do
  echo "rediss://$process:$(cat "valkey/$process")@$valkey/0?ssl_ca_certs=$ca" |
    keep "$process/itemledger_redis_url"
done
database() {
  echo "postgresql+psycopg://itemledger_$1:$(cat "postgres/$1")@$postgres/itemledger?sslmode=verify-full&sslrootcert=$ca"
}
database owner | keep migrate/itemledger_database_url
database worker | keep worker/itemledger_database_url
database query | keep query/itemledger_database_url
# `itemledger token`, `dead`, `verify`, `doctor`: what a worker may.
keep console/itemledger_redis_url <worker/itemledger_redis_url
keep console/itemledger_database_url <worker/itemledger_database_url

sha256() { printf %s "$(cat "$1")" | openssl dgst -sha256 -r | cut -d' ' -f1; }
sed '/^#/d' "$here/valkey/users.acl" |
  awk '/^ / { line = line $0; next } { if (line) print line; line = $0 } END { if (line) print line }' |
  sed "s/@api@/$(sha256 valkey/api)/; s/@worker@/$(sha256 valkey/worker)/; s/@cron@/$(sha256 valkey/cron)/
       s/@query@/$(sha256 valkey/query)/; s/@replica@/$(sha256 valkey/replica)/; s/@admin@/$(sha256 valkey/admin)/" |
  keep valkey/users.acl

key() { openssl ecparam -name prime256v1 -genkey -noout; }
if [ ! -e tls/ca.crt ]; then
  key | keep tls/ca.key
  openssl req -x509 -new -key tls/ca.key -sha256 -days 3650 -subj "/CN=itemledger's own authority" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" |
    keep tls/ca.crt
  chmod 400 tls/ca.key
fi
certify() {
  [ ! -e "tls/$1.crt" ] || return 0
  key | keep "tls/$1.key"
  names="DNS:$1,DNS:localhost,IP:127.0.0.1"
  case $2 in "$1" | localhost) ;; *[!0-9.]*) names="$names,DNS:$2" ;; *) names="$names,IP:$2" ;; esac
  printf '%s\n' "subjectAltName=$names" "extendedKeyUsage=serverAuth" "basicConstraints=CA:FALSE" >tls/extensions
  openssl req -new -key "tls/$1.key" -subj "/CN=$1" |
    openssl x509 -req -CA tls/ca.crt -CAkey tls/ca.key -set_serial "0x$(openssl rand -hex 16)" -sha256 -days 825 \
      -extfile tls/extensions 2>/dev/null |
    keep "tls/$1.crt"
  rm tls/extensions
}
certify valkey "${VALKEY_HOST:-valkey}"
certify postgres "${POSTGRES_HOST:-postgres}"
