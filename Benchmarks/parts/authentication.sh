# Sender authentication beside OpenSSL alone, dkimpy, OpenDKIM and pyspf. Read by Benchmarks/run.

# Seconds of processor time of a command, its threads and children included, the least of three runs, into $seconds.
processor_time_of() {
    local best= round took TIMEFORMAT='%U %S'
    for round in 1 2 3; do
        took=$( { time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ printf "%.6f", $1 + $2 }')
        if [ -z "$best" ] || awk "BEGIN { exit !($took < $best) }"; then best=$took; fi
    done
    seconds=$best
}

# A message with a body of $1 bytes of text, to standard output.
message_of() {
    printf 'From: Joe <joe@example.org>\nTo: Suzie <suzie@example.net>\nSubject: Figures\nDate: Fri, 11 Jul 2025 21:00:37 -0700\nMessage-ID: <1@example.org>\nMIME-Version: 1.0\nContent-Type: text/plain\n\n'
    yes 'The quick brown fox jumps over the lazy dog, and the dog does not mind at all.' | head -c "$1"
    printf '\n'
}

# Signs $1 with the options after it; the message with its signature, without batch SMTP around it.
signed() {
    local file=$1
    shift
    "$bin/smtp-send" --dry-run --from joe@example.org --to suzie@example.net "$@" "$file" |
        awk '/^\.\r$/ { exit } started { sub(/^\./, ""); print } /^DATA\r$/ { started = 1 }'
}

# Copies of file $1, $2 of them, into folder $3.
copies() { seq "$2" | (cd "$3" && xargs -n 500 sh -c 'tee "$@" <"$0" >/dev/null' "$1"); }

bench_authentication() {
    has openssl || { echo '  openssl is not installed: left out'; return; }
    local home="$scratch/authentication"
    mkdir "$home"
    openssl genrsa -out "$home/rsa.pem" 2048 2>/dev/null
    openssl genpkey -algorithm ed25519 -out "$home/ed25519.pem"
    local rsa ed25519
    rsa=$(openssl pkey -in "$home/rsa.pem" -pubout -outform DER | openssl base64 -A)
    ed25519=$(openssl pkey -in "$home/ed25519.pem" -pubout -outform DER | tail -c 32 | openssl base64 -A)
    printf 'rsa._domainkey.example.org. TXT "v=DKIM1; p=%s" "%s"\ned._domainkey.example.org. TXT "v=DKIM1; k=ed25519; p=%s"\n' \
        "${rsa:0:200}" "${rsa:200}" "$ed25519" >"$home/zone"
    bench_authentication_floor "$home"
    bench_authentication_peers "$home"
    bench_authentication_limits "$home"
    bench_authentication_spf "$home"
}

# Microseconds a message of one process over many files, against those of the cryptography alone.
bench_authentication_floor() {
    local home=$1
    heading 'DKIM verification, messages a second of processor time, against the cryptography alone'
    has cc && cc -O2 -o "$home/floor" "$here/peers/dkim-floor.c" -lcrypto 2>/dev/null ||
        { echo '  no C compiler with the headers of OpenSSL: left out'; return; }
    local key size count name ours floor peer
    cc -O2 -o "$home/dkim-opendkim" "$here/peers/dkim-opendkim.c" -lopendkim 2>/dev/null ||
        echo '  no C compiler with the headers of libopendkim: left out'
    for key in rsa ed25519; do
        for size in 2000 5000 50000 5000000; do
            [ "$key" = rsa ] || [ "$size" = 2000 ] || continue
            # So many that the start of the process, which loads OpenSSL, hardly counts.
            count=8000
            [ "$size" -lt 50000 ] || count=2000
            [ "$size" -lt 1000000 ] || count=40
            message_of "$size" >"$home/plain"
            signed "$home/plain" --dkim "example.org:${key/ed25519/ed}:$home/$key.pem" >"$home/signed.$key.$size"
            rm -rf "$home/many"
            mkdir "$home/many"
            copies "$home/signed.$key.$size" "$count" "$home/many"
            processor_time_of "$bin/mailparse" --verify --dns "$home/zone" --json "$home/many"/*
            ours=$(over "$count" "$seconds")
            floor=$("$home/floor" "$home/signed.$key.$size" "$key" "$((count < 100 ? 100 : count))")
            row "$key, $size bytes" "$ours" "$(over 1000000 "$floor")" OpenSSL /s
            if [ -x "$home/dkim-opendkim" ] && [ "$key" = rsa ]; then
                peer=$(for name in 1 2 3; do "$home/dkim-opendkim" "v=DKIM1; p=$rsa" "$home/many"/*; done | sort -n | head -n 1)
                row "$key, $size bytes, one process" "$ours" "$(over 1000000 "$peer")" libopendkim /s
            fi
        done
    done
}

bench_authentication_peers() {
    local home=$1 size=5000 count=1000
    [ -f "$home/signed.rsa.5000" ] || return 0
    heading 'DKIM verification, messages a second of processor time, beside the peers'
    rm -rf "$home/many"
    mkdir "$home/many"
    copies "$home/signed.rsa.$size" "$count" "$home/many"
    processor_time_of "$bin/mailparse" --verify --dns "$home/zone" --json "$home/many"/*
    local ours peer=0
    ours=$(over "$count" "$seconds")
    if python3 -c 'import dkim' 2>/dev/null; then
        processor_time_of python3 -c '
import dkim, sys
zone = dict(line.rstrip().split(". TXT ", 1) for line in open(sys.argv[1]))
def look(name, timeout=5): return "".join(zone[name.decode().rstrip(".")].split("\"")[1::2]).encode()
for name in sys.argv[2:]: assert dkim.verify(open(name, "rb").read(), dnsfunc=look)' "$home/zone" "$home/many"/*
        peer=$(over "$count" "$seconds")
    fi
    row 'rsa, 5 KB' "$ours" "$peer" dkimpy /s
    peer=0
    if has opendkim; then
        sed -n 's/^rsa._domainkey.example.org. TXT "\(.*\)" "\(.*\)"$/rsa._domainkey.example.org \1\2/p' "$home/zone" >"$home/keys"
        printf 'Mode v\nTestPublicKeys %s\n' "$home/keys" >"$home/opendkim.conf"
        local list
        list=$(printf '%s,' "$home/many"/*)
        processor_time_of opendkim -x "$home/opendkim.conf" -t "${list%,}"
        peer=$(over "$count" "$seconds")
    fi
    row 'rsa, 5 KB' "$ours" "$peer" 'OpenDKIM, test mode' /s
    hundred() { local i; for ((i = 0; i < 100; i++)); do "$@"; done; }
    time_of hundred "$bin/mailparse" --verify --dns "$home/zone" --json "$home/signed.rsa.5000"
    row 'one process a message (wanted: 3 ms)' "$(over 100 "$seconds")" 333 wanted /s
}

bench_authentication_limits() {
    local home=$1 number
    heading 'What many signatures, slow keys and a large message cost'
    awk "/^From:/ { exit } { print }" "$home/signed.rsa.2000" >"$home/field"
    for number in $(seq 99); do sed 's/d=example.org/d=example.net/' "$home/field"; done |
        cat - "$home/signed.rsa.2000" >"$home/hundred"
    time_of "$bin/mailparse" --verify --dns "$home/zone" --json "$home/hundred"
    row '100 signatures (wanted: 2 s)' "$(over 1 "$seconds")" 0.5 wanted /s
    if has python3; then
        python3 "$here/peers/slow-keys.py" 2563 300 "v=DKIM1; p=$rsa" &
        pids+=($!)
        sleep 0.5
        for number in $(seq 60); do sed "s/s=rsa;/s=k$number;/" "$home/field"; done | cat - "$home/plain" >"$home/slow"
        time_of "$bin/mailparse" --verify --server 127.0.0.1:2563 --json "$home/slow"
        row '60 keys of 300 ms (wanted: 3 s)' "$(over 1 "$seconds")" 0.333 wanted /s
    fi
    { sed '/^\r$/q' "$home/signed.rsa.2000"; yes 'The quick brown fox jumps over the lazy dog.' | head -c 1073741824; } >"$home/large"
    local kilobytes
    kilobytes=$( { /usr/bin/time -f %M "$bin/mailparse" --verify --dns "$home/zone" --json "$home/large" >/dev/null; } 2>&1 | tail -n 1) || true
    rm -f "$home/large"
    row "1 GiB: memory (wanted: 30 MB)" "$(over 1000000 "${kilobytes:-1}")" 33.3 wanted /GB
}

bench_authentication_spf() {
    local home=$1 number
    heading 'SPF, checks a second, against NSD'
    has nsd || { echo '  nsd is not installed: left out'; return; }
    {
        printf '$ORIGIN bench.example.\n@ 300 IN SOA ns. h. 1 1 1 1 1\n@ 300 IN NS ns\nns 300 IN A 127.0.0.1\n'
        for number in $(seq 2000); do
            printf 'd%d 300 IN TXT "v=spf1 mx include:i%d.bench.example -all"\nd%d 300 IN MX 10 mx%d\nmx%d 300 IN A 192.0.2.9\ni%d 300 IN TXT "v=spf1 ip4:192.0.2.7 -all"\n' \
                "$number" "$number" "$number" "$number" "$number" "$number"
        done
    } >"$home/nsd-zone"
    cat >"$home/nsd.conf" <<CONFIG
server:
  ip-address: 127.0.0.1@2564
  username: ""
  chroot: ""
  zonesdir: "$home"
  pidfile: "$home/nsd.pid"
  database: ""
  xfrdfile: "$home/nsd.xfrd"
  zonelistfile: "$home/nsd.zones"
  server-count: 1
  rrl-ratelimit: 0
  logfile: "$home/nsd.log"
remote-control:
  control-enable: no
zone:
  name: bench.example
  zonefile: "$home/nsd-zone"
CONFIG
    nsd -d -c "$home/nsd.conf" >"$home/nsd.out" 2>&1 &
    pids+=($!)
    sleep 1
    for number in $(seq 2000); do echo "192.0.2.7 a@d1.bench.example h.example"; done >"$home/same"
    for number in $(seq 2000); do echo "192.0.2.7 a@d$number.bench.example h.example"; done >"$home/new"
    local kind ours peer
    for kind in same new; do
        ours_spf() { "$bin/mx" --server 127.0.0.1:2564 --spf-test - <"$home/$kind"; }
        time_of ours_spf
        ours=$(over 2000 "$seconds")
        peer=0
        if python3 -c 'import spf, dns.resolver' 2>/dev/null; then
            time_of python3 -c '
import dns.resolver, spf, sys
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], 2564
dns.resolver.default_resolver = resolver
for line in open(sys.argv[1]):
    ip, sender, helo = line.split()
    assert spf.check2(ip, sender, helo)[0] == "pass"' "$home/$kind"
            peer=$(over 2000 "$seconds")
        fi
        row "2,000 checks, $kind domain" "$ours" "$peer" pyspf /s
    done
}
