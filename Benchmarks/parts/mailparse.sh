# mailparse beside mblaze's mhdr, GMime, Python's email and the decoders of the system. Read by Benchmarks/run.

bench_mailparse() {
    prepare_messages
    local count peer=0 size
    count=$(wc -l <"$scratch/list")

    heading "mailparse, one header field of $count files, files a second (bar: 1 with one thread, 1.5 with two)"
    if has mhdr; then
        time_of sh -c "mhdr -h subject <'$scratch/list'"
        peer=$(over "$count" "$seconds")
    fi
    local jobs
    for jobs in 1 2; do
        time_of "$bin/mailparse" --jobs "$jobs" -h subject --files "$scratch/list"
        row "header scan, $jobs thread(s)" "$(over "$count" "$seconds")" "$peer" "mblaze's mhdr" /s
    done

    # Ten times the mbox, some 300 MB of real mail.
    for jobs in 1 2 3 4 5 6 7 8 9 10; do cat "$scratch/box"; done >"$scratch/tenfold"
    size=$(mebibytes "$scratch/tenfold")
    heading "mailparse, an mbox of $size MiB in the page cache, MiB a second (bar: 1024)"
    # Behind a pipe: grep looks no further than the first line when its output is /dev/null.
    time_of sh -c "grep -c '^Subject: ' '$scratch/tenfold' | cat"
    peer=$(over "$size" "$seconds")
    time_of "$bin/mailparse" --jobs 1 -h subject "$scratch/tenfold"
    row 'header scan of an mbox, one thread' "$(over "$size" "$seconds")" "$peer" "grep -c '^Subject: '" MiB/s
    bench_mailparse_parse "$size"
    rm "$scratch/tenfold"
    bench_mailparse_decoders
}

mebibytes() { awk "BEGIN { printf \"%.3f\", $(stat -c %s "$1") / 1048576 }"; }

# Every part of every message decoded. --tree with --format does what the peers do: it takes each message apart, decodes
# every part (its size is shown), and reads subject, date and sender. --json tells everything else besides.
bench_mailparse_parse() {
    local size=$1 gmime=0 python=0
    heading "mailparse, MIME parse of the same, every part decoded, MiB a second (bars: 3 and 10 with one thread)"
    if has cc && has pkg-config && pkg-config --exists gmime-3.0; then
        # shellcheck disable=SC2046
        cc -O2 "$here/peers/mime-parse.c" $(pkg-config --cflags --libs gmime-3.0) -o "$scratch/mime-parse"
        time_of "$scratch/mime-parse" "$scratch/tenfold"
        gmime=$(over "$size" "$seconds")
    fi
    if has python3; then
        time_of python3 "$here/peers/mime-parse.py" "$scratch/box"
        python=$(over "$(mebibytes "$scratch/box")" "$seconds")
    fi
    local jobs
    for jobs in 1 2; do
        time_of "$bin/mailparse" --jobs "$jobs" --tree --format '{subject}{date:epoch}{from}' "$scratch/tenfold"
        row "parsed and decoded, $jobs thread(s)" "$(over "$size" "$seconds")" "$gmime" 'GMime in C' MiB/s
        row 'the same' "$(over "$size" "$seconds")" "$python" "Python's email" MiB/s
    done
    for jobs in 1 2; do
        time_of "$bin/mailparse" --jobs "$jobs" --json --digest none "$scratch/tenfold"
        row "and all of it told as JSON, $jobs thread(s)" "$(over "$size" "$seconds")" "$gmime" 'GMime in C' MiB/s
        row 'the same' "$(over "$size" "$seconds")" "$python" "Python's email" MiB/s
    done
}

# One large part of each encoding, its content to /dev/null.
bench_mailparse_decoders() {
    local size peer=0
    heading 'mailparse --part, one large part decoded, MiB of encoded content a second (bar: 1024)'
    { printf 'Content-Transfer-Encoding: base64\n\n'; head -c 200000000 /dev/zero | tr '\0' 'f' | base64; } >"$scratch/base64"
    size=$(mebibytes "$scratch/base64")
    tail -n +3 "$scratch/base64" >"$scratch/encoded"
    time_of base64 -d "$scratch/encoded"
    peer=$(over "$size" "$seconds")
    time_of "$bin/mailparse" --part 1 "$scratch/base64"
    row 'base64' "$(over "$size" "$seconds")" "$peer" 'base64 -d' MiB/s
    peer=0
    {
        printf 'Content-Transfer-Encoding: quoted-printable\n\n'
        yes 'Some words of a line as mail has it, with an =C3=A9 here and there, of 75=' | head -c 200000000
    } >"$scratch/printable"
    size=$(mebibytes "$scratch/printable")
    if has perl && perl -MMIME::QuotedPrint -e 1 2>/dev/null; then
        time_of perl -MMIME::QuotedPrint -ne 'print decode_qp($_)' "$scratch/printable"
        peer=$(over "$size" "$seconds")
    fi
    time_of "$bin/mailparse" --part 1 "$scratch/printable"
    row 'quoted-printable' "$(over "$size" "$seconds")" "$peer" "Perl's MIME::QuotedPrint" MiB/s
    rm "$scratch/base64" "$scratch/encoded" "$scratch/printable"
}
