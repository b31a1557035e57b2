# smtp-serve beside Postfix and smtp-sink. Read by Benchmarks/run.

# Messages a second that a server on $1 takes with $2 sessions out of $3 messages of $4 bytes, into $rate.
load() {
    local begin end
    begin=$EPOCHREALTIME
    smtp-source -s "$2" -m "$3" -l "$4" -f a@example.org -t bob@example.net "127.0.0.1:$1"
    end=$EPOCHREALTIME
    rate=$(awk "BEGIN { printf \"%.1f\", $3 / ($end - $begin) }")
}
best_load() {
    local best=0 round
    for round in 1 2 3; do
        load "$@"
        best=$(awk "BEGIN { print ($rate > $best) ? $rate : $best }")
    done
    rate=$best
}

bench_smtp() {
    heading 'smtp-serve, messages a second, a new connection for each'
    has smtp-source || { echo '  smtp-source (package postfix) is not installed: left out'; return; }
    "$bin/smtp-serve" --listen 127.0.0.1:0 --mail "$scratch/mail" --json >"$scratch/serve.log" 2>&1 &
    pids+=($!)
    await_port "$scratch/serve.log"
    local durable=$port peer=0
    "$bin/smtp-serve" --listen 127.0.0.1:0 --sink --json >"$scratch/sink.log" 2>&1 &
    pids+=($!)
    await_port "$scratch/sink.log"
    local sink=$port
    if has postfix && [ "$(id -u)" = 0 ]; then
        peer=2599
        "$here/postfix-peer" start "$scratch/postfix" $peer
        sleep 1
    fi
    smtp-sink -u nobody 127.0.0.1:2598 200 >/dev/null 2>&1 &
    pids+=($!)
    sleep 0.3
    for sessions in 1 10 50; do
        local ours theirs=0
        best_load "$durable" "$sessions" 2000 1024
        ours=$rate
        if [ $peer != 0 ]; then
            best_load $peer "$sessions" 1000 1024
            theirs=$rate
        fi
        row "durable, Maildir, 1 KiB, $sessions sessions" "$ours" "$theirs" Postfix /s
    done
    for sessions in 1 10 50; do
        local ours
        best_load "$sink" "$sessions" 10000 1024
        ours=$rate
        best_load 2598 "$sessions" 10000 1024
        row "--sink, 1 KiB, $sessions sessions" "$ours" "$rate" smtp-sink /s
    done
}
