# smtp-serve beside Postfix, smtp-sink and aiosmtpd. Read by Benchmarks/run.

# Messages a second that a server on $1 takes with $2 sessions out of $3 messages of $4 bytes, into $rate; a new
# connection for each message.
load() {
    local begin end
    begin=$EPOCHREALTIME
    smtp-source -s "$2" -m "$3" -l "$4" -f a@example.org -t bob@example.net "127.0.0.1:$1"
    end=$EPOCHREALTIME
    rate=$(awk "BEGIN { printf \"%.1f\", $3 / ($end - $begin) }")
}
# Two servers in turns, three times, so that both have the same weather: the best of each into $ours and $theirs.
#   duel OUR_PORT THEIR_PORT SESSIONS MESSAGES SIZE; without the other, THEIR_PORT is 0
duel() {
    local round
    ours=0 theirs=0
    for round in 1 2 3; do
        load "$1" "$3" "$4" "$5"
        ours=$(awk "BEGIN { print ($rate > $ours) ? $rate : $ours }")
        [ "$2" = 0 ] || { load "$2" "$3" "$4" "$5"; theirs=$(awk "BEGIN { print ($rate > $theirs) ? $rate : $theirs }"); }
    done
}

# CPU seconds that a process, its children and those it has waited for have used so far, into $cpu.
cpu_of() {
    cpu=$(cat /proc/[0-9]*/stat 2>/dev/null | sed 's/([^)]*)/x/' | awk -v p="$1" -v hz="$(getconf CLK_TCK)" '
        $1 == p { sum += $14 + $15 + $16 + $17 } $4 == p { sum += $14 + $15 } END { printf "%.2f", sum / hz }')
}
# Messages that a server with process $1 on port $2 takes a CPU second, 10 sessions of $3 messages of $4 bytes: $per_cpu.
cpu_rate() {
    local before
    cpu_of "$1"
    before=$cpu
    load "$2" 10 "$3" "$4"
    cpu_of "$1"
    per_cpu=$(awk "BEGIN { d = $cpu - $before; printf \"%.1f\", $3 / (d > 0.01 ? d : 0.01) }")
}

# Opens $2 connections to port $1, reads their greetings, and holds them until it is ended; prints the seconds it took.
idle_clients() {
    python3 - "$1" "$2" <<'PYTHON'
import resource, socket, sys, time
port, count = int(sys.argv[1]), int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
begin = time.monotonic()
held = []
for number in range(count):
    held.append(socket.create_connection(("127.0.0.1", port), timeout=20))
for one in held:
    one.recv(200)
print("%.3f" % (time.monotonic() - begin), flush=True)
sys.stdin.close()
time.sleep(600)
PYTHON
}
# Proportional memory of a process in KiB, into $pss.
pss_of() { pss=$(awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"); }
# Memory of $3 idle connections to process $1 on port $2 in KiB each, into $each; the time to open them into $opened.
idle_memory() {
    local before client
    pss_of "$1"
    before=$pss
    idle_clients "$2" "$3" >"$scratch/idle" 2>/dev/null </dev/null &
    client=$!
    for try in $(seq 300); do [ -s "$scratch/idle" ] && break; sleep 0.1; done
    opened=$(cat "$scratch/idle")
    pss_of "$1"
    each=$(awk "BEGIN { printf \"%.1f\", ($pss - $before) / $3 }")
    kill "$client" 2>/dev/null
    wait "$client" 2>/dev/null || true
}
# Sessions that stall in the middle of their data: $2 of them on port $1, in the background; their process into $stalled.
stall() {
    python3 - "$1" "$2" >"$scratch/stalled" <<'PYTHON' &
import socket, sys, time
held = []
for number in range(int(sys.argv[2])):
    one = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    one.recv(200)
    for line in ("EHLO x", "MAIL FROM:<a@example.org>", "RCPT TO:<stalled@example.net>", "DATA"):
        one.sendall(line.encode() + b"\r\n")
        one.recv(1000)
    one.sendall(b"half a line")
    held.append(one)
print("ready", flush=True)
time.sleep(600)
PYTHON
    stalled=$!
    for try in $(seq 100); do [ -s "$scratch/stalled" ] && break; sleep 0.1; done
}

# The queue beside Postfix's: mail for elsewhere that stays there.
bench_smtp_queue() {
    heading 'the queue, messages a second, 1 KiB each, on the disk when they are answered'
    local queue="$scratch/queue" peer=0 ours theirs=0 number
    "$bin/smtp-serve" --listen 127.0.0.1:0 --mail "$scratch/mail" --domain local.example --relay-for 127.0.0.1 \
        --queue "$queue" >"$scratch/relay.log" 2>&1 &
    pids+=($!)
    await_port "$scratch/relay.log"
    local relay=$port
    if has postfix && [ "$(id -u)" = 0 ]; then
        peer=2596
        "$here/postfix-peer" start "$scratch/held" $peer 'default_transport = hold' 'defer_transports = hold smtp relay' \
            'virtual_mailbox_domains = held.example' 'bounce_queue_lifetime = 1d'
        sleep 1
    fi
    for number in 10 50; do
        duel "$relay" $peer "$number" 1000 1024
        row "smtp-serve into the queue, $number sessions" "$ours" "$theirs" Postfix /s
    done
    for number in $(seq 5000); do
        printf 'From a@example.org Mon Nov  2 09:15:00 2026\nSubject: x\n\n'
        head -c 1000 /dev/zero | tr '\0' x | fold -w 70
        printf '\n\n'
    done >"$scratch/five-thousand"
    local envelope=(--from a@example.org --to far@example.net)
    into_queue() { rm -rf "$scratch/own"; "$bin/smtp-send" --queue "$scratch/own" --queue-only "${envelope[@]}" "$1"; }
    time_of into_queue "$scratch/five-thousand"
    ours=$(over 5000 "$seconds")
    head -n 20 "$scratch/five-thousand" >"$scratch/single"
    hundred() { local i; for ((i = 0; i < 100; i++)); do "$@"; done; }
    time_of hundred "$bin/smtp-send" --queue "$scratch/own" --queue-only "${envelope[@]}" "$scratch/single"
    local single=$(over 100 "$seconds")
    row 'smtp-send, 5,000 messages, one process' "$ours" "$single" 'one a process' /s
    theirs=0
    if [ $peer != 0 ]; then
        submit() { sendmail -C "$scratch/held/etc" -f a@example.org far@example.net <"$scratch/single"; }
        time_of hundred submit
        theirs=$(over 100 "$seconds")
    fi
    row 'smtp-send, one message, whole process' "$single" "$theirs" sendmail /s
    local sent
    into_queue "$scratch/five-thousand" >/dev/null
    local begin=$EPOCHREALTIME
    "$bin/smtp-send" --queue "$scratch/own" --run --server "127.0.0.1:$sink" --quiet
    sent=$(awk "BEGIN { printf \"%.1f\", 5000 / ($EPOCHREALTIME - $begin) }")
    row 'a run of the queue, 5,000 messages into --sink' "$sent" "$ours" 'queueing them' /s
    [ $peer = 0 ] || "$here/postfix-peer" stop "$scratch/held"
}

bench_smtp() {
    heading 'smtp-serve, messages a second, a new connection for each'
    has smtp-source || { echo '  smtp-source (package postfix) is not installed: left out'; return; }
    ulimit -n "$(ulimit -H -n)" 2>/dev/null || true
    "$bin/smtp-serve" --listen 127.0.0.1:0 --mail "$scratch/mail" --max-connections 20000 >"$scratch/serve.log" 2>&1 &
    local durable_pid=$!
    "$bin/smtp-serve" --listen 127.0.0.1:0 --sink --max-connections 20000 >"$scratch/sink.log" 2>&1 &
    local sink_pid=$!
    pids+=("$durable_pid" "$sink_pid")
    await_port "$scratch/serve.log"
    local durable=$port peer=0 master= aio=0
    await_port "$scratch/sink.log"
    sink=$port
    if has postfix && [ "$(id -u)" = 0 ]; then
        peer=2599
        "$here/postfix-peer" start "$scratch/postfix" $peer
        sleep 1
        master=$(tr -d ' ' <"$scratch/postfix/spool/pid/master.pid")
    fi
    smtp-sink -u nobody 127.0.0.1:2598 200 >/dev/null 2>&1 &
    pids+=($!)
    if has aiosmtpd; then
        aiosmtpd -n -c aiosmtpd.handlers.Sink -l 127.0.0.1:2597 >/dev/null 2>&1 &
        pids+=($!)
        local aio_pid=$!
        aio=2597
        sleep 1
    fi
    sleep 0.3
    for sessions in 1 10 50; do
        duel "$durable" $peer "$sessions" 1000 1024
        row "durable, Maildir, 1 KiB, $sessions sessions" "$ours" "$theirs" Postfix /s
        [ "$sessions" != 10 ] || local ten=$ours
        [ "$sessions" != 50 ] || row 'durable: 50 sessions beside 10 of ours' "$ours" "$ten" ours /s
    done
    duel "$durable" $peer 10 60 1048576
    row 'durable, Maildir, 1 MiB, 10 sessions' "$ours" "$theirs" Postfix /s
    for size in 1024 1048576; do
        local count=$((size > 2000 ? 100 : 2000)) theirs=0
        cpu_rate "$durable_pid" "$durable" $count $size
        local mine=$per_cpu
        [ -z "$master" ] || { cpu_rate "$master" $peer $((count / 2)) $size; theirs=$per_cpu; }
        row "durable, $((size / 1024)) KiB: messages a CPU second" "$mine" "$theirs" Postfix ''
    done
    for sessions in 1 10 50; do
        duel "$sink" 2598 "$sessions" 10000 1024
        row "--sink, 1 KiB, $sessions sessions" "$ours" "$theirs" smtp-sink /s
    done
    duel "$sink" $aio 10 2000 1024
    row '--sink, 1 KiB, 10 sessions' "$ours" "$theirs" aiosmtpd /s

    bench_smtp_queue
    heading 'smtp-serve with connections that do nothing'
    has python3 || { echo '  python3 is not installed: left out'; return; }
    load "$durable" 10 500 1024
    idle_memory "$sink_pid" "$sink" 1000
    local mine=$each first=$opened theirs=0
    [ $aio = 0 ] || { idle_memory "$aio_pid" $aio 1000; theirs=$each; }
    printf '  %-44s %10s KiB   aiosmtpd %s\n' 'memory of an idle connection, 1,000 of them' "$mine" "$theirs"
    printf '  %-44s %10s s\n' '1,000 connections opened and greeted in' "$first"
    idle_memory "$sink_pid" "$sink" 10000
    printf '  %-44s %10s KiB, opened in %s s\n' 'memory of an idle connection, 10,000 of them' "$each" "$opened"
    local free=0 busy=0 round
    for round in 1 2 3; do
        load "$durable" 10 1000 1024
        free=$(awk "BEGIN { print ($rate > $free) ? $rate : $free }")
    done
    stall "$durable" 24
    idle_clients "$durable" 1000 >"$scratch/idle" 2>/dev/null </dev/null &
    local client=$!
    sleep 2
    for round in 1 2 3; do
        load "$durable" 10 1000 1024
        busy=$(awk "BEGIN { print ($rate > $busy) ? $rate : $busy }")
    done
    row 'with 24 stalled in DATA and 1,000 idle' "$busy" "$free" 'without them' /s
    kill "$client" "$stalled" 2>/dev/null
    wait "$client" "$stalled" 2>/dev/null || true
}
