# shellcheck shell=bash
# A private PostgreSQL on a free port of 127.0.0.1 and a socket in its directory. Commits reach the disk as on a real server,
# or what tests measure and survive would not be true. SPROUT_POSTGRES_CONF may hold further lines of postgresql.conf.

service_start() {
  local home=$1 user bin port password
  bin=$(postgres_bin)
  user=$(service_user postgres)
  password=$(secret)
  port=$(free_port)
  printf '%s' "$password" >"$home/password"
  chown -R "$user" "$home"
  chmod 600 "$home/password"
  as_user "$user"
  "${AS_USER[@]}" "$bin/initdb" --pgdata "$home/data" --username sprout --pwfile "$home/password" --auth scram-sha-256 \
    --encoding UTF8 --locale C.UTF-8 --no-sync >"$home/postgres.log" 2>&1 || give_up "$home" postgres "initdb failed"
  cat >>"$home/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$home'
max_connections = 300
${SPROUT_POSTGRES_CONF:-}
END
  service_launch "$home"
  # Through the socket, which is reached from every network namespace.
  echo "export SPROUT_TEST_POSTGRES='postgres://sprout:$password@127.0.0.1:$port/postgres?host=$home'"
}

service_launch() {
  local home=$1
  # The processes of one that was killed hold its memory for a moment, and the new one refuses to start beside them.
  until_true 60 launched "$home" || give_up "$home" postgres "PostgreSQL does not answer"
}

launched() {
  service_alive "$1" && return
  as_user "$(service_user postgres)"
  launch "$1" postgres "${AS_USER[@]}" "$(postgres_bin)/postgres" -D "$1/data"
  until_true 60 accepts_or_dead "$1"
  service_alive "$1"
}

accepts_or_dead() { service_alive "$1" || ! running "$1/postgres.pid"; }

service_alive() {
  running "$1/postgres.pid" || return 1
  "$(postgres_bin)/pg_isready" --quiet --host "$1" --timeout 5 --port "$(sed -n 's/^port = //p' "$1/data/postgresql.conf")"
}

# INT ends open connections and shuts down cleanly; TERM would wait for the clients.
service_stop() { halt "$1/postgres.pid" INT; }

# The newest installed server; Debian keeps it off the PATH.
postgres_bin() {
  local newest
  newest=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 2>/dev/null | sort -V | tail -1)
  if [ -n "$newest" ] && [ -x "$newest/bin/initdb" ]; then
    echo "$newest/bin"
  else
    need database initdb
    dirname "$(command -v initdb)"
  fi
}
