#!/bin/sh
# Installs the servers that the database tests start, and what a driver of theirs is compiled with, where that is possible; never
# fails. None of them is started here.
PATH=$PATH:/usr/sbin
missing=
command -v mariadbd >/dev/null || missing="$missing mariadb-server"
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v mariadb_config >/dev/null || command -v mysql_config >/dev/null || missing="$missing libmariadb-dev"
command -v pkg-config >/dev/null || missing="$missing pkg-config"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "not installed:$missing"; exit 0; }
# A package would else start its server, on its usual port.
policy=/usr/sbin/policy-rc.d
[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && trap 'rm -f $policy' EXIT; }
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >/dev/null 2>&1 || echo "not installed:$missing"
exit 0
