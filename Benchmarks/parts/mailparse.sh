# mailparse beside mblaze's mhdr. Read by Benchmarks/run.

bench_mailparse() {
    prepare_messages
    local count peer=0
    count=$(wc -l <"$scratch/list")
    heading "mailparse, one header field of $count files, files a second"
    time_of "$bin/mailparse" -h subject --files "$scratch/list"
    local ours=$seconds
    if has mhdr; then
        time_of sh -c "mhdr -h subject <'$scratch/list'"
        peer=$(over "$count" "$seconds")
    fi
    row 'header scan' "$(over "$count" "$ours")" "$peer" "mblaze's mhdr" /s
}
