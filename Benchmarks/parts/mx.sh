# mx beside kdig and dig, against NSD. Read by Benchmarks/run.

# NSD on 127.0.0.1:2553 with 10,000 domains under example.org, each with two MX records, without its limit of answers.
start_nsd() {
    mkdir "$scratch/nsd"
    {
        printf '$ORIGIN example.org.\n@ 300 IN SOA ns. h. 1 1 1 1 1\n@ 300 IN NS ns.example.org.\nns 300 IN A 127.0.0.1\n'
        printf '@ 300 IN MX 10 mx1\n@ 300 IN MX 20 mx2\nmx1 300 IN A 192.0.2.1\nmx2 300 IN A 192.0.2.2\n'
        seq 10000 | sed 's/.*/d& 300 IN MX 10 mx1.d&\nd& 300 IN MX 20 mx2.d&\nmx1.d& 300 IN A 192.0.2.1\nmx2.d& 300 IN A 192.0.2.2/'
    } >"$scratch/nsd/zone"
    seq 10000 | sed 's/.*/d&.example.org/' >"$scratch/nsd/names"
    sed 's/$/ MX/' "$scratch/nsd/names" >"$scratch/nsd/questions"
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
    sleep 1
}

# The rate of a command that takes so many steps, into $rate.
rate_of() {
    local steps=$1
    shift
    time_of "$@"
    rate=$(over "$steps" "$seconds")
}

mx_batch() { "$bin/mx" --server "$1" "${@:3}" - <"$2" >"$scratch/mx-rows"; }

bench_mx() {
    has nsd || { echo 'mx: nsd is not installed: left out'; return; }
    start_nsd
    heading 'mx, one lookup, whole process, lookups a second'
    hundred() { local i; for ((i = 0; i < 100; i++)); do "$@"; done; }
    local peer=0
    if has kdig; then
        rate_of 100 hundred kdig +short -p 2553 @127.0.0.1 example.org MX
        peer=$rate
    fi
    rate_of 100 hundred "$bin/mx" --server 127.0.0.1:2553 --short example.org
    row 'one lookup (bar: ratio 0.5)' "$rate" "$peer" kdig /s

    heading 'mx, 10,000 names from a file, names a second'
    peer=0
    if has dig; then
        rate_of 10000 dig +short -p 2553 @127.0.0.1 -f "$scratch/nsd/questions"
        peer=$rate
    fi
    rate_of 10000 mx_batch 127.0.0.1:2553 "$scratch/nsd/names" --short
    row 'MX records (bar: 40,000)' "$rate" "$peer" 'dig -f' /s
    [ "$(wc -l <"$scratch/mx-rows")" = 10000 ] || echo '  not every name has a row'
    rate_of 10000 mx_batch 127.0.0.1:2553 "$scratch/nsd/names"
    row 'MX records and all addresses, 50,000 queries' "$rate" "$peer" 'dig -f' /s

    heading 'mx, 10,000 names, each answer after 20 ms, names a second'
    has python3 || { echo '  python3 is not installed: left out'; return; }
    "$here/delayed-dns" 2554 20 &
    pids+=($!)
    sleep 0.3
    peer=0
    if has dig; then
        head -n 50 "$scratch/nsd/questions" >"$scratch/nsd/some"
        rate_of 50 dig +short -p 2554 @127.0.0.1 -f "$scratch/nsd/some"
        peer=$rate
    fi
    rate_of 10000 mx_batch 127.0.0.1:2554 "$scratch/nsd/names" --short --window 256
    row 'window 256 (bar: 8,000)' "$rate" "$peer" 'dig -f' /s
    [ "$(grep -c '	mx	' "$scratch/mx-rows")" = 10000 ] || echo '  not every name was answered'
}
