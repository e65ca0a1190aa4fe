#!/usr/bin/env bash
# The S3 gateway of Ceph, for tests: a whole cluster (one monitor, one OSD in memory) with two gateways, one of whose
# clocks is 40 days back. What is written through that one has a LastModified that is truly 40 days old.
#
#   s3_rgw.sh install      installs Debian's packages
#   s3_rgw.sh start DIR    starts all four on free ports, data below DIR; writes DIR/env
#   s3_rgw.sh stop DIR     stops them
set -euo pipefail
# shellcheck source=tests/servers/s3_lib.sh
. "$(dirname "$0")/s3_lib.sh"

install_server() {
  if command -v ceph-mon ceph-osd radosgw radosgw-admin ceph >/dev/null && faketime_library >/dev/null; then return; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    ceph-mon ceph-osd radosgw ceph-common libfaketime || die "Ceph could not be installed"
}

faketime_library() {
  local found=(/usr/lib/*/faketime/libfaketimeMT.so.1)
  [ -e "${found[0]}" ] && echo "${found[0]}"
}

write_configuration() {
  # Without cephx: nothing but loopback is listened on, and there is nothing here to protect. Its messages cannot be
  # encrypted then (radosgw would insist): crc.
  cat >"$dir/ceph.conf" <<END
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = [v2:127.0.0.1:$mon_port]
ms bind ipv4 = true
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
ms mon cluster mode = crc
ms mon service mode = crc
ms mon client mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
run dir = $dir/run
admin socket = $dir/run/\$name.\$pid.asok
log file = $dir/\$name.ceph.log
crash dir = $dir/crash
pid file =
mon cluster log file = $dir/cluster.log
mon data = $dir/mon
mon allow pool size one = true
mon allow pool delete = true
mon data avail warn = 1
mon data avail crit = 0
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd max object name len = 2048
osd check max object name len on startup = false
rgw dns name = localhost
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
rgw run sync thread = false
rgw thread pool size = 64
rgw relaxed region enforcement = true
END
}

start_monitor() {
  ceph-mon -c "$dir/ceph.conf" -i a --mkfs --monmap "$dir/monmap" >"$dir/mkfs.log" 2>&1 || return 1
  in_background rgw_mon ceph-mon -c "$dir/ceph.conf" -i a -f --public-addr "[v2:127.0.0.1:$mon_port]"
  wait_until 30 ceph -c "$dir/ceph.conf" --connect-timeout 5 quorum_status
}

start_osd() {
  local id uuid
  uuid=$(cat /proc/sys/kernel/random/uuid)
  id=$(ceph -c "$dir/ceph.conf" osd new "$uuid")
  mkdir -p "$dir/osd"
  ceph-osd -c "$dir/ceph.conf" -i "$id" --mkfs --osd-uuid "$uuid" >>"$dir/mkfs.log" 2>&1 || return 1
  in_background rgw_osd ceph-osd -c "$dir/ceph.conf" -i "$id" -f
  wait_until 60 osd_is_up
}
osd_is_up() { ceph -c "$dir/ceph.conf" --connect-timeout 5 osd stat | grep -q "1 up"; }

# gateway NAME [VARIABLE=VALUE...]: a gateway on a free port, which is left in $port.
gateway() {
  local name=$1 try
  shift
  for try in 1 2 3; do
    port=$(free_port)
    in_background "$name" env "$@" radosgw -c "$dir/ceph.conf" -n "client.$name" -f \
      --rgw-frontends "beast endpoint=127.0.0.1:$port"
    answers "$dir/$name.pid" "http://127.0.0.1:$port/" && return
    echo "$name: attempt $try did not start" >&2
    stop_one "$dir/$name.pid"
  done
  cat "$dir/$name.log" >&2
  die "radosgw does not start"
}

start_server() {
  install_server
  stop_all
  rm -rf "$dir/mon" "$dir/osd"
  mkdir -p "$dir/run" "$dir/crash"
  local try
  for try in 1 2 3; do
    mon_port=$(free_port)
    rm -rf "$dir/mon"
    mkdir -p "$dir/mon"
    write_configuration
    monmaptool --create --clobber --fsid "$(sed -n 's/^fsid = //p' "$dir/ceph.conf")" \
      --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" >"$dir/monmap.log"
    start_monitor && break
    ((try < 3)) || { cat "$dir/mkfs.log" "$dir/rgw_mon.log" >&2 && die "the monitor does not start"; }
    stop_all
  done
  start_osd || { cat "$dir/rgw_osd.log" >&2 && die "the OSD does not start"; }
  gateway rgw
  local now=$port
  radosgw-admin -c "$dir/ceph.conf" -n client.rgw user create --uid steward --display-name steward \
    --access-key "$access_key" --secret-key "$secret_key" >"$dir/user.log" 2>&1 || die "$(cat "$dir/user.log")"
  gateway rgw_old "LD_PRELOAD=$(faketime_library)" FAKETIME=-40d DONT_FAKE_MONOTONIC=1
  cat >"$dir/env" <<END
export STEWARD_TEST_S3_RGW=http://127.0.0.1:$now
export STEWARD_TEST_S3_RGW_OLD=http://127.0.0.1:$port
export STEWARD_TEST_S3_ACCESS_KEY=$access_key
export STEWARD_TEST_S3_SECRET_KEY=$secret_key
END
}

main "$@"
