# spamscore beside bogofilter and SpamAssassin. Read by Benchmarks/run.

bench_spamscore() {
    prepare_messages
    local count half ours peer=0 pid
    count=$(wc -l <"$scratch/list")
    half=$((count / 2))
    head -n "$half" "$scratch/list" | awk '{ print (NR % 2 ? "spam " : "ham ") $0 }' >"$scratch/lessons"
    awk '$1 == "spam" { print $2 }' "$scratch/lessons" >"$scratch/spam-list"
    awk '$1 == "ham" { print $2 }' "$scratch/lessons" >"$scratch/ham-list"

    heading "spamscore, learning from $half files and scoring $count by what was learned, on one core"
    time_of sh -c "rm -f '$scratch/weights'; '$bin/spamscore' --train '$scratch/lessons' --weights '$scratch/weights'"
    ours=$(over "$half" "$seconds")
    if has bogofilter; then
        time_of sh -c "rm -rf '$scratch/bogo'; mkdir '$scratch/bogo'
            bogofilter -d '$scratch/bogo' -s -b <'$scratch/spam-list'; bogofilter -d '$scratch/bogo' -n -b <'$scratch/ham-list'"
        peer=$(over "$half" "$seconds")
    fi
    row 'learning' "$ours" "$peer" bogofilter /s
    time_of taskset -c 0 "$bin/spamscore" --learned-only --weights "$scratch/weights" --jobs 1 --files "$scratch/list"
    ours=$(over "$count" "$seconds")
    peer=0
    if has bogofilter; then
        time_of taskset -c 0 sh -c "bogofilter -d '$scratch/bogo' -t -b <'$scratch/list'"
        peer=$(over "$count" "$seconds")
    fi
    row 'learned scoring' "$ours" "$peer" bogofilter /s
    peer=0
    if has sa-learn; then
        head -n 200 "$scratch/spam-list" >"$scratch/few"
        local begin=$EPOCHREALTIME
        sa-learn --local --no-sync --dbpath "$scratch/sa" --spam -f "$scratch/few" >/dev/null 2>&1 || true
        peer=$(awk "BEGIN { printf \"%.3f\", $(wc -l <"$scratch/few") / ($EPOCHREALTIME - $begin) }")
    fi
    time_of sh -c "rm -f '$scratch/weights2'; '$bin/spamscore' --train '$scratch/lessons' --weights '$scratch/weights2'"
    row 'learning' "$(over "$half" "$seconds")" "$peer" sa-learn /s

    heading 'spamscore, one message and a server'
    local message
    message=$(head -n 1 "$scratch/list")
    time_of "$bin/spamscore" --weights "$scratch/weights" --learned-only "$message"
    ours=$(over 1 "$seconds")
    peer=0
    if has spamassassin; then
        local begin=$EPOCHREALTIME
        spamassassin -L -t <"$message" >/dev/null 2>&1 || true
        peer=$(awk "BEGIN { printf \"%.3f\", 1 / ($EPOCHREALTIME - $begin) }")
    fi
    row 'a process a message, learned part' "$ours" "$peer" spamassassin /s
    time_of "$bin/spamscore" --weights "$scratch/weights" "$message"
    row 'a process a message, own rules' "$(over 1 "$seconds")" "$peer" spamassassin /s
    if has spamc; then bench_spamd; fi
}

# Both servers through spamc, 100 messages one after another.
bench_spamd() {
    local port peer=0 ours
    head -n 100 "$scratch/list" >"$scratch/hundred"
    ask_spamc() { while read -r file; do spamc -d 127.0.0.1 -p "$1" -c <"$file"; done <"$scratch/hundred"; }
    "$bin/spamscore" --serve 127.0.0.1:0 --json --weights "$scratch/weights" >"$scratch/served" 2>/dev/null &
    local pid=$!
    pids+=("$pid")
    await_port "$scratch/served"
    time_of ask_spamc "$port"
    ours=$(over 100 "$seconds")
    local memory
    memory=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
    if has spamd; then
        spamd -L -p 47913 -i 127.0.0.1 --max-children=1 -x --nouser-config -r "$scratch/spamd.pid" >/dev/null 2>&1 &
        local try
        for try in $(seq 200); do spamc -d 127.0.0.1 -p 47913 -K </dev/null >/dev/null 2>&1 && break; sleep 0.2; done
        local begin=$EPOCHREALTIME
        ask_spamc 47913 >/dev/null || true
        peer=$(awk "BEGIN { printf \"%.3f\", 100 / ($EPOCHREALTIME - $begin) }")
        local child
        child=$(pgrep -P "$(cat "$scratch/spamd.pid")" | head -n 1)
        local theirs=0
        [ -z "$child" ] || theirs=$(awk '/^Pss:/ { print $2 }' "/proc/$child/smaps_rollup")
        kill "$(cat "$scratch/spamd.pid")"
        row 'through spamc, own rules and learned part' "$ours" "$peer" spamd /s
        row 'memory, KiB of theirs for one of ours' "$(over "$theirs" "$memory")" 1 'a spamd child' x
    else
        row 'through spamc, own rules and learned part' "$ours" 0 spamd /s
    fi
}
