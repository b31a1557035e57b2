# mboxconv beside cat, grep, formail, mblaze, mb2md, Python and the floor of making files: 100,000 messages, 370 MB. Read by
# Benchmarks/run.
#
# Every run that makes files makes them in a folder of its own, and nothing is removed before the end: ext4 does not give
# the inodes of files that were just removed to new ones, and looks at all of them for each.

bench_mboxconv() {
    prepare_many
    local box=$scratch/many.mbox few=$scratch/few.mbox tries=0 size memory
    size=$(stat -c %s "$box")
    heading "mboxconv, an mbox of $(grep -c '^From ' "$box") messages, $size bytes, MB/s"
    # Seconds of a command, the least of $1 runs, into $seconds; $out is a new name in each, and the disk is at rest.
    least_of() {
        local rounds=$1 least= begin end took round
        shift
        for round in $(seq "$rounds"); do
            tries=$((tries + 1))
            out=$scratch/made.$tries
            sync
            begin=$EPOCHREALTIME
            "$@" >/dev/null 2>&1 || true
            end=$EPOCHREALTIME
            took=$(awk "BEGIN { printf \"%.6f\", $end - $begin }")
            if [ -z "$least" ] || awk "BEGIN { exit !($took < $least) }"; then least=$took; fi
        done
        seconds=$least
    }
    rate() { over "$size" "($seconds * 1e6)"; }
    one() { "$bin/mboxconv" --jobs 1 --no-sync --to maildir "$box" "$out"; }
    both() { "$bin/mboxconv" --jobs 2 --no-sync --to maildir "$box" "$out"; }
    floor() { "$scratch/floor" "$out" <"$scratch/sizes"; }
    local single double peer=0 ours
    least_of 3 one
    single=$(rate)
    local maildir=$out
    find "$maildir/new" "$maildir/cur" -type f -printf '%s\n' >"$scratch/sizes"
    least_of 3 both
    double=$(rate)
    if has cc && cc -O2 -pthread -o "$scratch/floor" "$here/peers/maildir-floor.c"; then
        least_of 3 floor
        peer=$(rate)
    fi
    row 'mbox to Maildir, --jobs 1 (bar: 0.83)' "$single" "$peer" 'the files alone' MB/s
    row 'mbox to Maildir, --jobs 2 (bar: 1)' "$double" "$peer" 'the files alone' MB/s
    peer=0
    if has mdeliver; then
        deliver() {
            mkdir -p "$out/cur" "$out/new" "$out/tmp"
            mdeliver -M "$out" <"$box"
        }
        least_of 2 deliver
        peer=$(rate)
    fi
    row 'mbox to Maildir, --jobs 1' "$single" "$peer" mdeliver MB/s

    back() { "$bin/mboxconv" --no-sync "$maildir" "$out"; }
    least_of 3 back
    ours=$(rate)
    all() { find "$maildir/new" "$maildir/cur" -type f -print0 | xargs -0 cat >"$out"; }
    least_of 3 all
    row 'Maildir to mbox (bar: 0.83)' "$ours" "$(rate)" 'cat: all files' MB/s
    peer=0
    if has mexport; then
        export_all() { mlist "$maildir" | mexport >"$out"; }
        least_of 2 export_all
        peer=$(rate)
    fi
    row 'Maildir to mbox' "$ours" "$peer" mexport MB/s

    least_of 5 "$bin/mboxconv" --count "$box"
    ours=$(rate)
    counted() { grep -c "^From " "$box" | cat; }  # to /dev/null it would stop at the first line
    least_of 5 counted
    row '--count (bar: 1)' "$ours" "$(rate)" 'grep -c' MB/s
    peer=0
    if has formail; then
        least_of 1 sh -c "formail -s <'$box'"
        peer=$(rate)
    fi
    row '--count (formail: split only)' "$ours" "$peer" formail MB/s

    size=$(stat -c %s "$few")
    heading "mboxconv, the first $(grep -c '^From ' "$few") messages, $size bytes, MB/s"
    durable() { "$bin/mboxconv" --to maildir "$few" "$out"; }
    least_of 3 durable
    ours=$(rate)
    find "$out/new" "$out/cur" -type f -printf '%s\n' >"$scratch/sizes"
    peer=0
    if [ -x "$scratch/floor" ]; then
        flushed() { "$scratch/floor" "$out" 24 <"$scratch/sizes"; }
        least_of 3 flushed
        peer=$(rate)
    fi
    row 'mbox to Maildir, on the disk (bar: 0.83)' "$ours" "$peer" 'the files, flushed' MB/s
    quick() { "$bin/mboxconv" --jobs 1 --no-sync --to maildir "$few" "$out"; }
    least_of 2 quick
    ours=$(rate)
    local few_maildir=$out
    peer=0
    if has mb2md; then
        with_mb2md() { mb2md -s "$few" -d "$out"; }
        least_of 1 with_mb2md
        peer=$(rate)
    fi
    row 'mbox to Maildir, --jobs 1' "$ours" "$peer" mb2md MB/s
    peer=0
    if has python3; then
        with_python() {
            python3 -c 'import mailbox, sys
to = mailbox.Maildir(sys.argv[2])
for m in mailbox.mbox(sys.argv[1]): to.add(m)' "$few" "$out"
        }
        least_of 1 with_python
        peer=$(rate)
    fi
    row 'mbox to Maildir, --jobs 1' "$ours" "$peer" Python MB/s
    quick_back() { "$bin/mboxconv" --no-sync "$few_maildir" "$out"; }
    least_of 2 quick_back
    ours=$(rate)
    peer=0
    if has python3; then
        back_with_python() {
            python3 -c 'import mailbox, sys
to = mailbox.mbox(sys.argv[2])
for m in mailbox.Maildir(sys.argv[1]): to.add(m)' "$few_maildir" "$out"
        }
        least_of 1 back_with_python
        peer=$(rate)
    fi
    row 'Maildir to mbox' "$ours" "$peer" Python MB/s
    least_of 3 "$bin/mboxconv" --count "$few"
    ours=$(rate)
    peer=0
    if has python3; then
        least_of 1 python3 -c 'import mailbox, sys; len(mailbox.mbox(sys.argv[1]))' "$few"
        peer=$(rate)
    fi
    row '--count' "$ours" "$peer" Python MB/s
    if [ -x /usr/bin/time ]; then
        memory=$(/usr/bin/time -f %M sh -c "for i in 1 2 3 4; do cat '$box'; done | '$bin/mboxconv' -q - - >/dev/null" 2>&1 | tail -n 1)
        row 'memory of a stream four times as long (bar: 50)' "$(over 51200 "$memory")" 1 'bar / used' x
    fi
}

# An mbox of 100,000 messages, 370 MB, and the first tenth of it: copies of the examples, with as much text behind each as
# makes that size; with MESSAGES copies of those.
prepare_many() {
    [ ! -f "$scratch/many.mbox" ] || return 0
    if [ -n "${MESSAGES:-}" ]; then prepare_messages; else mbox_of "$here"/../Examples/messages/*.eml >"$scratch/box"; fi
    awk -v lines="$([ -n "${MESSAGES:-}" ] || echo 85)" '
        /^From / { number++ }
        { text[number] = text[number] $0 "\n" }
        END {
            line = "The quick brown fox jumps over the lazy dog, again and again and again.\n"
            for (; filled < lines; filled++) fill[filled] = filled ? fill[filled - 1] line : ""
            for (index_ = 0; index_ < 100000; index_++) {
                whole = text[index_ % number + 1]
                printf "%s%s\n", substr(whole, 1, length(whole) - 1), lines ? fill[index_ * 7919 % lines] : ""
            }
        }' "$scratch/box" >"$scratch/many.mbox"
    awk '/^From / && ++number > 10000 { exit } { print }' "$scratch/many.mbox" >"$scratch/few.mbox"
}
