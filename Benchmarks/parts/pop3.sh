# pop3d beside Dovecot on the same Maildirs. Read by Benchmarks/run.

# A Maildir $1 of $2 messages with bodies of $3 lines of 64 octets, and headers of up to $4 octets more: the sizes in the
# names of real mail differ, and Dovecot finds names by a hash that makes lists of those which do not. They were seen before, so that they lie in cur/ and no
# server has to move them there.
make_maildir() {
    awk -v count="$2" -v lines="$3" -v spread="${4:-1}" 'BEGIN {
        line = sprintf("%063d", 0)
        for (i = 1; i <= count; i++) {
            printf "From a@example.org Mon Nov  2 09:15:00 2026\nFrom: a@example.org\nStatus: RO\n"
            printf "X-Pad: %*d\nSubject: message %d\n\n", i * 7919 % spread, 0, i
            for (l = 0; l < lines; l++) print line
            print ""
        }
    }' >"$scratch/pop3.box"
    "$bin/mboxconv" -q --no-sync "$scratch/pop3.box" "$1/" >/dev/null
    rm "$scratch/pop3.box"
}

# Seconds that pop3load takes at port $1, the least of $2 runs, into $seconds; its octets into $octets.
pop3_load() {
    local port=$1 rounds=$2 round answer best=
    shift 2
    for ((round = 0; round < rounds; round++)); do
        answer=$("$scratch/pop3load" "$port" "$@") || { seconds=0 octets=0; return; }
        if [ -z "$best" ] || awk "BEGIN { exit !(${answer% *} < $best) }"; then best=${answer% *}; fi
    done
    seconds=$best octets=${answer#* }
}

# A row of rates: what, how many there are of it, unit, arguments of pop3load.
pop3_row() {
    local what=$1 count=$2 unit=$3 ours peer=0
    shift 3
    pop3_load "$pop3_port" 3 "$@"
    ours=$(over "$count" "$seconds")
    if [ "$pop3_peer" != 0 ]; then
        pop3_load "$pop3_peer" 3 "$@"
        peer=$(over "$count" "$seconds")
    fi
    row "$what" "$ours" "$peer" Dovecot "$unit"
}

# Resident kilobytes of all processes of the server whose main process is $1, shared pages counted in parts.
pop3_memory() {
    local sum=0 process
    for process in $(pgrep -P "$1" | while read -r child; do echo "$child"; pgrep -P "$child"; done) "$1"; do
        sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$process/smaps_rollup" 2>/dev/null || echo 0)))
    done
    echo "$sum"
}

# Kilobytes for one idle session: port, main process, sessions, 1 when logged in; into $kilobytes.
pop3_idle() {
    local before after pid
    before=$(pop3_memory "$2")
    "$scratch/pop3load" "$1" u%d secret idle "$3" "$4" >"$scratch/idle" &
    pid=$!
    pids+=("$pid")
    local try
    for try in $(seq 200); do
        [ ! -s "$scratch/idle" ] || break
        sleep 0.1
    done
    after=$(pop3_memory "$2")
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    kilobytes=$(over $((after - before)) "$3")
}

bench_pop3() {
    heading 'pop3d'
    has cc || { echo '  cc is not installed: left out'; return; }
    cc -O2 -o "$scratch/pop3load" "$here/peers/pop3load.c" -lpthread
    local mail=$scratch/dovecot/mail user
    mkdir -p "$mail"
    make_maildir "$mail/u0" 10 4
    for user in $(seq 99); do cp -r "$mail/u0" "$mail/u$user"; done
    make_maildir "$mail/small" 1000 62
    make_maildir "$mail/large" 100 16384
    make_maildir "$mail/many" 50000 4 3001
    pop3_peer=0
    local dovecot=
    if has dovecot && [ "$(id -u)" = 0 ]; then
        pop3_peer=2597
        "$here/dovecot-peer" start "$scratch/dovecot" "$pop3_peer"
        for _ in $(seq 100); do
            [ ! -s "$scratch/dovecot/run/master.pid" ] || break
            sleep 0.1
        done
        dovecot=$(cat "$scratch/dovecot/run/master.pid")
        pids+=("$dovecot")
        chown -R nobody:nogroup "$mail"
        # Dovecot syncs its index: it is not to wait for the mail that was just made.
        sync
    fi
    printf 'u%d:{PLAIN}secret\n' $(seq 0 99) >"$scratch/pop3.users"
    printf '%s:{PLAIN}secret\n' small large many >>"$scratch/pop3.users"
    "$bin/pop3d" --listen 127.0.0.1:0 --json --passwd "$scratch/pop3.users" --maildir "$mail/%u" \
        >"$scratch/pop3.log" 2>&1 &
    local ours=$!
    pids+=("$ours")
    await_port "$scratch/pop3.log"
    pop3_port=$port

    local first=0 peer=0
    pop3_load "$pop3_port" 1 many secret stat 1 1
    first=$(over 1 "$seconds")
    if [ "$pop3_peer" != 0 ]; then
        pop3_load "$pop3_peer" 1 many secret stat 1 1
        peer=$(over 1 "$seconds")
    fi
    row 'first STAT of 50,000 messages' "$first" "$peer" Dovecot /s
    pop3_row 'later STAT of 50,000 messages' 1 /s many secret stat 1 1
    pop3_cold
    pop3_row 'login, STAT, QUIT, 10 in parallel' 2000 /s u%d secret sessions 2000 10
    pop3_row 'RETR of 4 KiB, one at a time' 1000 /s small secret retr 1000 1
    pop3_row 'RETR of 4 KiB, pipelined' 1000 /s small secret retr 1000 200
    pop3_row 'RETR of 1 MiB, MB/s' 105 MB/s large secret retr 100 1
    local state
    for state in 0 1; do
        local mine=0 theirs=0 name='before the login'
        [ "$state" = 0 ] || name='logged in'
        pop3_idle "$pop3_port" "$ours" 100 "$state"
        mine=$kilobytes
        if [ "$pop3_peer" != 0 ]; then
            pop3_idle "$pop3_peer" "$dovecot" 100 "$state"
            theirs=$kilobytes
        fi
        row "idle session $name, sessions in a MiB" "$(over 1024 "$mine")" "$(over 1024 "$theirs")" Dovecot ' '
    done
    pop3_start
    pop3_fetch
    [ "$pop3_peer" = 0 ] || "$here/dovecot-peer" stop "$scratch/dovecot"
}

# From the start of the process to the first +OK, through inetd's way.
pop3_start() {
    once() { printf 'QUIT\r\n' | "$bin/pop3d" --stdio -q --any-password; }
    time_of once
    awk -v s="$seconds" 'BEGIN { printf "  %-44s %10.2f ms (bar: 5 ms)\n", "start to the end of a session (--stdio)", s * 1000 }'
}

# The first STAT after the page cache was dropped: only root can drop it, and not everywhere.
pop3_cold() {
    local ours=0 peer=0
    drop() { sync && echo 3 2>/dev/null >/proc/sys/vm/drop_caches; }
    drop 2>/dev/null || { echo '  the page cache cannot be dropped here: STAT without it is left out'; return 0; }
    pop3_load "$pop3_port" 1 many secret stat 1 1
    ours=$(over 1 "$seconds")
    if [ "$pop3_peer" != 0 ]; then
        drop
        pop3_load "$pop3_peer" 1 many secret stat 1 1
        peer=$(over 1 "$seconds")
    fi
    row 'STAT of 50,000, page cache dropped' "$ours" "$peer" Dovecot /s
}

# The client: 1,000 messages of 4 KiB from pop3d into a Maildir, beside mpop, which pipelines too.
pop3_fetch() {
    local ours peer=0 best=
    printf 'secret\n' >"$scratch/pop3.secret"
    fetch() {
        rm -rf "$scratch/fetched" "$scratch/fetched.mboxconv-pop3"
        "$bin/mboxconv" -q --password-file "$scratch/pop3.secret" "pop3://small@127.0.0.1:$pop3_port/" "$scratch/fetched/"
    }
    time_of fetch
    ours=$(over 1000 "$seconds")
    if has mpop; then
        printf '%s\n' 'account default' 'host 127.0.0.1' "port $pop3_port" 'user small' 'password secret' 'auth user' \
            'tls off' 'keep on' 'received_header off' "uidls_file $scratch/mpop.uidls" \
            "delivery maildir $scratch/mpop" >"$scratch/mpoprc"
        chmod 600 "$scratch/mpoprc"
        fetch() {
            rm -rf "$scratch/mpop" "$scratch/mpop.uidls"
            mkdir -p "$scratch/mpop/new" "$scratch/mpop/cur" "$scratch/mpop/tmp"
            mpop -q -C "$scratch/mpoprc"
        }
        time_of fetch
        peer=$(over 1000 "$seconds")
    fi
    row 'fetching 4 KiB into a Maildir, synced' "$ours" "$peer" mpop /s
}
