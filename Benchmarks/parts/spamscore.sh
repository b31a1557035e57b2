# spamscore beside bogofilter and SpamAssassin. Read by Benchmarks/run.
#
# Each row ends with the bar that the ratio has to reach.

# Like row, with the bar.
bar() { printf '%s   bar %s\n' "$(row "$1" "$2" "$3" "$4" "$5")" "$6"; }

bench_spamscore() {
    prepare_messages
    local count half
    count=$(wc -l <"$scratch/list")
    half=$((count / 2))
    head -n "$half" "$scratch/list" | awk '{ print (NR % 2 ? "spam " : "ham ") $0 }' >"$scratch/lessons"
    awk '$1 == "spam" { print $2 }' "$scratch/lessons" >"$scratch/spam-list"
    awk '$1 == "ham" { print $2 }' "$scratch/lessons" >"$scratch/ham-list"
    bench_learned "$count" "$half"
    bench_stock_rules
    bench_spamd
}

bench_learned() {
    local count=$1 half=$2 ours few=200 peer name
    heading "spamscore, learning from $half files and scoring $count by what was learned, on one core"
    time_of taskset -c 0 sh -c "rm -f '$scratch/weights'; '$bin/spamscore' --train '$scratch/lessons' --weights '$scratch/weights'"
    ours=$(over "$half" "$seconds")
    # With either of its databases.
    for name in bogofilter-sqlite bogofilter-bdb; do
        peer=0
        if has "$name"; then
            time_of taskset -c 0 sh -c "rm -rf '$scratch/$name'; mkdir '$scratch/$name'
                $name -d '$scratch/$name' -s -b <'$scratch/spam-list'; $name -d '$scratch/$name' -n -b <'$scratch/ham-list'"
            peer=$(over "$half" "$seconds")
        fi
        bar 'learning' "$ours" "$peer" "$name" /s 1
    done
    peer=0
    if has sa-learn; then
        head -n "$few" "$scratch/spam-list" >"$scratch/few"
        local begin=$EPOCHREALTIME
        sa-learn --local --no-sync --dbpath "$scratch/sa" --spam -f "$scratch/few" >/dev/null 2>&1 || true
        peer=$(over "$few" "($EPOCHREALTIME - $begin)")
    fi
    bar 'learning' "$ours" "$peer" sa-learn /s 25
    time_of taskset -c 0 "$bin/spamscore" --learned-only --weights "$scratch/weights" --jobs 1 --files "$scratch/list"
    ours=$(over "$count" "$seconds")
    for name in bogofilter-sqlite bogofilter-bdb; do
        peer=0
        if has "$name"; then
            time_of taskset -c 0 sh -c "$name -d '$scratch/$name' -t -b <'$scratch/list'"
            peer=$(over "$count" "$seconds")
        fi
        bar 'learned scoring' "$ours" "$peer" "$name" /s 10
    done
}

# The rules of SpamAssassin's package, local tests, nothing learned.
stock_rules() { "$bin/spamscore" --local --no-learned --rules /etc/spamassassin --rules /usr/share/spamassassin "$@"; }

# Seconds of processor time that a process has used.
processor_seconds() { awk -v t="$(getconf CLK_TCK)" '{ print ($14 + $15) / t }' "/proc/$1/stat"; }

bench_stock_rules() {
    [ -d /usr/share/spamassassin ] || { heading 'spamscore, stock rules: SpamAssassin is not installed'; return 0; }
    export XDG_CACHE_HOME="$scratch/cache"
    local message ours peer=0 begin
    message=$(head -n 1 "$scratch/list")
    stock_rules "$message" >/dev/null
    heading "spamscore with SpamAssassin's stock rules: one message a process, with compiled rules"
    time_of stock_rules "$message"
    ours=$(over 1 "$seconds")
    if has spamassassin; then
        begin=$EPOCHREALTIME
        spamassassin -L -t <"$message" >/dev/null 2>&1 || true
        peer=$(over 1 "($EPOCHREALTIME - $begin)")
    fi
    bar 'one message a process' "$ours" "$peer" spamassassin /s 50
    bar 'start to the first score, of 10 ms' "$(over 0.010 "$seconds")" 1 '10 ms' x 1
}

# Both servers, some messages one after another, each on a connection of its own: through spamc, which is a process for each
# message whatever the server does, and from one client.
bench_spamd() {
    has spamc && has spamd || { heading 'spamscore as a server: spamc or spamd is not installed'; return 0; }
    local port ours our_spamc peer few=150 pid child begin before
    # Spread over the whole list.
    awk -v n="$few" -v all="$(wc -l <"$scratch/list")" 'int(NR * n / all) > int((NR - 1) * n / all)' "$scratch/list" \
        >"$scratch/some"
    ask_spamc() { while read -r file; do spamc -d 127.0.0.1 -p "$1" -c <"$file" >/dev/null || true; done <"$scratch/some"; }
    ask_client() { "$bin/spamscore" --connect "127.0.0.1:$1" --user "${USER:-root}" --files "$scratch/some" >/dev/null; }
    heading "spamscore and spamd with the stock rules, local tests: $few messages, one after another"
    export XDG_CACHE_HOME="$scratch/cache"
    "$bin/spamscore" --serve 127.0.0.1:0 --workers 4 --json --local --no-learned --rules /etc/spamassassin \
        --rules /usr/share/spamassassin >"$scratch/served" 2>/dev/null &
    pid=$!
    pids+=("$pid")
    await_port "$scratch/served"
    ask_client "$port"
    begin=$EPOCHREALTIME
    ask_spamc "$port"
    our_spamc=$(over "$few" "($EPOCHREALTIME - $begin)")
    before=$(processor_seconds "$pid")
    begin=$EPOCHREALTIME
    ask_client "$port"
    ours=$(over "$few" "($EPOCHREALTIME - $begin)")
    local our_time our_memory
    our_time=$(over "$(processor_seconds "$pid") - $before" 1)
    # So that each of the four workers has had something to do.
    xargs -P 4 -I '{}' sh -c "spamc -d 127.0.0.1 -p $port -c <'{}' >/dev/null" <"$scratch/some" || true
    our_memory=$(awk '/^Pss:/ { print $2 / 4 }' "/proc/$pid/smaps_rollup")
    kill "$pid"

    local spamd_port
    spamd_port=$((20000 + RANDOM % 20000))
    spamd -L -p "$spamd_port" -i 127.0.0.1 --max-children=1 --max-conn-per-child=10000 -x --nouser-config --cf 'use_bayes 0' -r "$scratch/spamd.pid" \
        >/dev/null 2>&1 &
    local try
    for try in $(seq 200); do
        spamc -d 127.0.0.1 -p "$spamd_port" -K </dev/null >/dev/null 2>&1 && break
        sleep 0.2
    done
    pids+=("$(cat "$scratch/spamd.pid")")
    head -n 10 "$scratch/some" | while read -r file; do spamc -d 127.0.0.1 -p "$spamd_port" -c <"$file" || true; done >/dev/null
    child=$(pgrep -P "$(cat "$scratch/spamd.pid")" | head -n 1)
    begin=$EPOCHREALTIME
    ask_spamc "$spamd_port"
    row 'through spamc' "$our_spamc" "$(over "$few" "($EPOCHREALTIME - $begin)")" spamd /s
    before=$(processor_seconds "$child")
    begin=$EPOCHREALTIME
    ask_client "$spamd_port"
    peer=$(over "$few" "($EPOCHREALTIME - $begin)")
    local their_time their_memory
    their_time=$(over "$(processor_seconds "$child") - $before" 1)
    their_memory=$(awk '/^Pss:/ { print $2 }' "/proc/$child/smaps_rollup")
    kill "$(cat "$scratch/spamd.pid")"
    bar 'a connection a message' "$ours" "$peer" spamd /s 20
    bar 'for a second of processor time' "$(over "$few" "$our_time")" "$(over "$few" "$their_time")" spamd /s 20
    bar 'workers in a gibibyte, of four' "$(over 1048576 "$our_memory")" "$(over 1048576 "$their_memory")" 'a spamd child' '' 5
}
