# mailparse beside mblaze's mhdr, GMime and Python's email. Read by Benchmarks/run.

bench_mailparse() {
    prepare_messages
    local count peer=0 size
    count=$(wc -l <"$scratch/list")
    size=$(awk "BEGIN { printf \"%.3f\", $(stat -c %s "$scratch/box") / 1048576 }")

    heading "mailparse, one header field of $count files, files a second"
    if has mhdr; then
        time_of sh -c "mhdr -h subject <'$scratch/list'"
        peer=$(over "$count" "$seconds")
    fi
    time_of "$bin/mailparse" --jobs 1 -h subject --files "$scratch/list"
    row 'header scan, one thread' "$(over "$count" "$seconds")" "$peer" "mblaze's mhdr" /s
    time_of "$bin/mailparse" --jobs 2 -h subject --files "$scratch/list"
    row 'header scan, two threads' "$(over "$count" "$seconds")" "$peer" "mblaze's mhdr" /s

    heading "mailparse, an mbox of $size MiB in the page cache, MiB a second"
    cat "$scratch/box" >/dev/null
    time_of grep -c '^Subject: ' "$scratch/box"
    peer=$(over "$size" "$seconds")
    time_of "$bin/mailparse" --jobs 1 -h subject "$scratch/box"
    row 'header scan of an mbox, one thread' "$(over "$size" "$seconds")" "$peer" "grep -c '^Subject: '" MiB/s
    bench_mailparse_parse "$size"
}

# Every part of every message decoded.
bench_mailparse_parse() {
    local size=$1 gmime=0 python=0
    if has cc && has pkg-config && pkg-config --exists gmime-3.0; then
        # shellcheck disable=SC2046
        cc -O2 "$here/peers/mime-parse.c" $(pkg-config --cflags --libs gmime-3.0) -o "$scratch/mime-parse"
        time_of "$scratch/mime-parse" "$scratch/box"
        gmime=$(over "$size" "$seconds")
    fi
    if has python3; then
        time_of python3 "$here/peers/mime-parse.py" "$scratch/box"
        python=$(over "$size" "$seconds")
    fi
    local jobs
    for jobs in 1 2; do
        time_of "$bin/mailparse" --jobs "$jobs" --json --digest none "$scratch/box"
        row "all parts decoded, all JSON, $jobs thread(s)" "$(over "$size" "$seconds")" "$gmime" 'GMime in C' MiB/s
        row "the same" "$(over "$size" "$seconds")" "$python" "Python's email" MiB/s
        time_of "$bin/mailparse" --jobs "$jobs" --findings "$scratch/box"
        row "all parts decoded, findings, $jobs thread(s)" "$(over "$size" "$seconds")" "$gmime" 'GMime in C' MiB/s
    done
}
