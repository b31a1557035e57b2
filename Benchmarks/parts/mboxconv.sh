# mboxconv beside cat, grep, formail, mblaze, Python and the floor of making files. Read by Benchmarks/run.

bench_mboxconv() {
    prepare_messages
    local size ours peer
    size=$(stat -c %s "$scratch/box")
    heading "mboxconv, an mbox of $size bytes, MB/s"
    rate() { over "$size" "$seconds*1e6"; }
    # Every run makes its output anew.
    anew() {
        rm -rf "$scratch/out"
        "$@"
    }
    time_of anew "$bin/mboxconv" --jobs 1 --no-sync --to maildir "$scratch/box" "$scratch/out"
    local single=$(rate)
    time_of anew "$bin/mboxconv" --no-sync --to maildir "$scratch/box" "$scratch/out"
    ours=$(rate)
    peer=0
    if has cc && cc -O2 -o "$scratch/floor" "$here/peers/maildir-floor.c"; then
        find "$scratch/out/new" "$scratch/out/cur" -type f -printf '%s\n' >"$scratch/sizes"
        floor() { "$scratch/floor" "$scratch/out" <"$scratch/sizes"; }
        time_of anew floor
        peer=$(rate)
    fi
    row 'mbox to Maildir (floor: make the files)' "$ours" "$peer" 'one thread' MB/s
    row 'mbox to Maildir, --jobs 1' "$single" "$peer" 'one thread' MB/s
    peer=0
    if has mdeliver; then
        deliver() {
            mkdir -p "$scratch/out/cur" "$scratch/out/new" "$scratch/out/tmp"
            mdeliver -M "$scratch/out" <"$scratch/box"
        }
        time_of anew deliver
        peer=$(rate)
    fi
    row 'mbox to Maildir' "$ours" "$peer" mdeliver MB/s
    peer=0
    if has formail; then
        time_of sh -c "formail -s cat <'$scratch/box'"
        peer=$(rate)
    fi
    row 'mbox to Maildir (formail -s: split only)' "$ours" "$peer" formail MB/s
    anew "$bin/mboxconv" -q --no-sync --to maildir "$scratch/box" "$scratch/out"
    back() {
        rm -f "$scratch/back"
        "$bin/mboxconv" --no-sync "$scratch/out" "$scratch/back"
    }
    time_of back
    ours=$(rate)
    all() { find "$scratch/out/new" "$scratch/out/cur" -type f -print0 | xargs -0 cat >"$scratch/back"; }
    time_of all
    row 'Maildir to mbox (cat: all files)' "$ours" "$(rate)" cat MB/s
    peer=0
    if has mexport; then
        time_of sh -c "mlist '$scratch/out' | mexport >'$scratch/back'"
        peer=$(rate)
    fi
    row 'Maildir to mbox' "$ours" "$peer" mexport MB/s
    rm -f "$scratch/back"
    time_of "$bin/mboxconv" --count "$scratch/box"
    ours=$(rate)
    time_of grep -c '^From ' "$scratch/box"
    row '--count' "$ours" "$(rate)" 'grep -c' MB/s
    peer=0
    if has python3; then
        time_of python3 -c 'import mailbox, sys; len(mailbox.mbox(sys.argv[1]))' "$scratch/box"
        peer=$(rate)
    fi
    row '--count' "$ours" "$peer" Python MB/s
    if [ -x /usr/bin/time ]; then
        local memory
        memory=$(/usr/bin/time -f %M sh -c "for i in 1 2 3 4; do cat '$scratch/box'; done | '$bin/mboxconv' -q - - >/dev/null" 2>&1 | tail -n 1)
        row 'memory of a stream four times as long (bar: 50)' "$(over 51200 "$memory")" 1 'bar / used' x
    fi
}
