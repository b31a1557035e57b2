# mboxconv beside formail and grep. Read by Benchmarks/run.

bench_mboxconv() {
    prepare_messages
    local size peer=0
    size=$(stat -c %s "$scratch/box")
    heading "mboxconv, an mbox of $size bytes, MB/s"
    one() {
        rm -rf "$scratch/out"
        "$bin/mboxconv" --no-sync --to maildir "$scratch/box" "$scratch/out"
    }
    time_of one
    local ours=$seconds
    if has formail; then
        time_of sh -c "formail -s cat <'$scratch/box'"
        peer=$(over "$size" "$seconds*1e6")
    fi
    row 'mbox to Maildir (formail -s: split only)' "$(over "$size" "$ours*1e6")" "$peer" formail MB/s
    time_of "$bin/mboxconv" --count "$scratch/box"
    ours=$seconds
    time_of grep -c '^From ' "$scratch/box"
    row '--count' "$(over "$size" "$ours*1e6")" "$(over "$size" "$seconds*1e6")" 'grep -c' MB/s
}
