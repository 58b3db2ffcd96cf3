#!/bin/sh
# Make stand-ins for the images that docker-compose.yml and the Dockerfile build on, from Debian's
# packages, for a machine that reaches no registry of images. Same names, users, folders and ways to
# start; the contents are Debian's.
#
#   sh tests/compose/stand_ins.sh     as root; needs mmdebstrap and a running Docker engine
set -eu
release=trixie mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# debian NAME PACKAGES: an image with these, known as stand-in/NAME.
debian() {
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages=none' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="ca-certificates,$2" "$release" - "$mirror" | docker import - "stand-in/$1" >/dev/null
  # Whatever authorities this machine trusts on its way to package indexes.
  cp /etc/ssl/certs/ca-certificates.crt "$work/"
}

make() { docker build --quiet --tag "$1" "$work" >/dev/null && echo "$1"; }

debian python python3.13,python3-pip,python3-venv,netbase
cat >"$work/Dockerfile" <<'END'
FROM stand-in/python
COPY ca-certificates.crt /etc/ssl/certs/
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \
 && ln -s /usr/bin/python3.13 /usr/local/bin/python && ln -s /usr/bin/pip3 /usr/local/bin/pip
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
CMD ["python3"]
END
make python:3.13-slim

debian valkey valkey-server,valkey-tools
cat >"$work/start" <<'END'
#!/bin/sh
set -e
[ -w . ] || { echo "the data folder is not writable by $(id -u)" >&2; exit 1; }
umask 0077
exec "$@"
END
cat >"$work/Dockerfile" <<'END'
FROM stand-in/valkey
RUN usermod -u 999 valkey && groupmod -g 999 valkey && install -d -o 999 -g 999 -m 1777 /data && rm -rf /etc/valkey
COPY --chmod=755 start /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["valkey-server"]
END
make valkey/valkey:8

debian postgres postgresql-17
cat >"$work/start" <<'END'
#!/bin/bash
# The first start initialises the cluster, with a superuser of the password in a file, and runs what
# lies in docker-entrypoint-initdb.d on a server that listens on its socket alone.
set -Eeo pipefail
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
  initdb --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE"
  pg_ctl -D "$PGDATA" -w start -o "$(printf '%q ' "${@:2}" -c listen_addresses=)"
  for file in /docker-entrypoint-initdb.d/*.sql; do
    psql -v ON_ERROR_STOP=1 --no-psqlrc --username postgres --dbname postgres -f "$file"
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
END
cat >"$work/Dockerfile" <<'END'
FROM stand-in/postgres
RUN usermod -u 999 postgres && groupmod -g 999 postgres && rm -rf /etc/postgresql /var/lib/postgresql \
 && install -d -o 999 -g 999 -m 1777 /var/lib/postgresql/data && mkdir /docker-entrypoint-initdb.d
COPY --chmod=755 start /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/17/bin \
    LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
END
make postgres:17

debian prometheus prometheus
cat >"$work/Dockerfile" <<'END'
FROM stand-in/prometheus
RUN install -d -o nobody -g nogroup -m 1777 /prometheus && rm -rf /etc/prometheus/* \
 && ln -s /usr/bin/prometheus /bin/prometheus 2>/dev/null || true
USER nobody
WORKDIR /prometheus
VOLUME ["/prometheus"]
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
END
make prom/prometheus:v3.5.0
