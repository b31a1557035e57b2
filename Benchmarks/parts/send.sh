# smtp-send beside curl. Read by Benchmarks/run.

bench_send() {
    heading 'smtp-send, messages a second, into smtp-serve --sink'
    "$bin/smtp-serve" --listen 127.0.0.1:0 --sink >"$scratch/send.log" 2>&1 &
    pids+=($!)
    await_port "$scratch/send.log"
    local url="smtp://127.0.0.1:$port" envelope=(--from a@example.org --to bob@example.net) number
    { printf 'Subject: x\r\n\r\n'; for number in $(seq 14); do printf '%070d\r\n' "$number"; done; } >"$scratch/one"
    for number in $(seq 1000); do
        printf 'From a@example.org Mon Nov  2 09:15:00 2026\n'
        tr -d '\r' <"$scratch/one"
        printf '\n'
    done >"$scratch/thousand"
    for number in $(seq 1000); do
        printf 'url="%s"\nmail-from="a@example.org"\nmail-rcpt="bob@example.net"\nupload-file="%s"\nnext\n' \
            "$url" "$scratch/one"
    done >"$scratch/curl"
    hundred() { local i; for ((i = 0; i < 100; i++)); do "$@"; done; }
    local ours peer=0
    time_of hundred "$bin/smtp-send" --server "127.0.0.1:$port" "${envelope[@]}" "$scratch/one"
    ours=$(over 100 "$seconds")
    if has curl; then
        time_of hundred curl -s "$url" --mail-from a@example.org --mail-rcpt bob@example.net -T "$scratch/one"
        peer=$(over 100 "$seconds")
    fi
    row 'one message, whole process' "$ours" "$peer" curl /s
    time_of "$bin/smtp-send" --server "127.0.0.1:$port" "${envelope[@]}" "$scratch/thousand"
    ours=$(over 1000 "$seconds")
    if has curl; then
        time_of curl -s -K "$scratch/curl"
        peer=$(over 1000 "$seconds")
    fi
    row '1,000 messages, one connection' "$ours" "$peer" 'curl -K' /s
}
