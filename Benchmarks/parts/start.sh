# Process start. Read by Benchmarks/run.

bench_start() {
    heading 'process start (--version), ms; bar: 3 ms'
    repeat() { local i; for ((i = 0; i < 100; i++)); do "$@"; done; }
    time_of repeat /bin/true
    printf '  %-44s %10.2f ms\n' '(an empty process: /bin/true)' "$(over "$seconds" 0.1)"
    for tool in mx smtp-send smtp-serve pop3d mboxconv mailparse spamscore; do
        time_of repeat "$bin/$tool" --version
        printf '  %-44s %10.2f ms\n' "$tool" "$(over "$seconds" 0.1)"
    done
}
