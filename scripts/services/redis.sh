# shellcheck shell=bash
# A private Redis on a free port of 127.0.0.1 and a socket in its directory; it keeps nothing on disk.

service_start() {
  local home=$1 user port password
  need database redis-server redis-cli
  user=$(service_user redis)
  password=$(secret)
  port=$(free_port)
  # In a file, for arguments can be seen by everyone on the machine.
  (
    umask 077
    printf '%s\n' 'bind 127.0.0.1' "port $port" "unixsocket $home/redis.sock" "requirepass $password" "dir $home" \
      'save ""' 'appendonly no' >"$home/redis.conf"
  )
  chown -R "$user" "$home"
  service_launch "$home"
  echo "export SPROUT_TEST_REDIS=redis://default:$password@127.0.0.1:$port/"
}

service_launch() {
  local home=$1
  ! service_alive "$home" || return 0
  as_user "$(service_user redis)"
  launch "$home" redis "${AS_USER[@]}" redis-server "$home/redis.conf"
  until_true 30 answers_or_dead "$home" || true
  service_alive "$home" || give_up "$home" redis "Redis does not answer"
}

answers_or_dead() { service_alive "$1" || ! running "$1/redis.pid"; }

service_alive() {
  running "$1/redis.pid" || return 1
  local answer
  answer=$(REDISCLI_AUTH=$(sed -n 's/^requirepass //p' "$1/redis.conf") timeout 5 redis-cli -s "$1/redis.sock" ping 2>/dev/null)
  [ "$answer" = PONG ]
}

service_stop() { halt "$1/redis.pid"; }
