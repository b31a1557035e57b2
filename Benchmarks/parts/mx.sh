# mx beside kdig, against NSD. Read by Benchmarks/run.

bench_mx() {
    heading 'mx, one lookup, whole process, lookups a second'
    has nsd || { echo '  nsd is not installed: left out'; return; }
    mkdir "$scratch/nsd"
    printf '$ORIGIN example.org.\n@ 300 IN SOA ns. h. 1 1 1 1 1\n@ 300 IN NS ns.example.org.\nns 300 IN A 127.0.0.1\n@ 300 IN MX 10 mx1\n@ 300 IN MX 20 mx2\nmx1 300 IN A 192.0.2.1\nmx2 300 IN A 192.0.2.2\n' >"$scratch/nsd/zone"
    cat >"$scratch/nsd/conf" <<CONFIG
server:
  ip-address: 127.0.0.1@2553
  username: ""
  chroot: ""
  zonesdir: "$scratch/nsd"
  pidfile: "$scratch/nsd/pid"
  database: ""
  xfrdfile: "$scratch/nsd/xfrd"
  zonelistfile: "$scratch/nsd/zones"
  server-count: 1
  rrl-ratelimit: 0
  logfile: "$scratch/nsd/log"
remote-control:
  control-enable: no
zone:
  name: example.org
  zonefile: "$scratch/nsd/zone"
CONFIG
    nsd -d -c "$scratch/nsd/conf" >"$scratch/nsd/out" 2>&1 &
    pids+=($!)
    sleep 0.5
    hundred() { local i; for ((i = 0; i < 100; i++)); do "$@"; done; }
    time_of hundred "$bin/mx" --server 127.0.0.1:2553 --short example.org
    local ours=$seconds peer=0
    if has kdig; then
        time_of hundred kdig +short -p 2553 @127.0.0.1 example.org MX
        peer=$(over 100 "$seconds")
    fi
    row 'one lookup' "$(over 100 "$ours")" "$peer" kdig /s
}
