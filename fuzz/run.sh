#!/usr/bin/env bash
# Runs each fuzz target, or those that are named, for FUZZ_SECONDS. Says what failed, and which input brings it about.
#
#   FUZZ_SECONDS=600 fuzz/run.sh [TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ../tests/tools.sh
me=fuzz

seconds=${FUZZ_SECONDS:-600}
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(sed -n '/^\[\[bin\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml)
fi

require python3
cargo_tool fuzz

# The flags that a fuzzer is compiled with are not stable: this lets the stable compiler take them.
export RUSTC_BOOTSTRAP=1
# Snapshots are forced to the disk, which takes long where it is one.
if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
sanitizer=none
for runtime in "$(rustc --print sysroot)"/lib/rustlib/*/lib/librustc-*_rt.asan.a; do
    if [ -e "$runtime" ]; then sanitizer=address; fi
done

echo "==> building with sanitizer $sanitizer"
"$CARGO" fuzz build --fuzz-dir . --sanitizer "$sanitizer"
./seeds.py
mkdir -p target/logs

failed=()
for target in "${targets[@]}"; do
    log=target/logs/$target.log
    echo "==> $target for $seconds seconds, all that it says goes to fuzz/$log"
    "$CARGO" fuzz run --fuzz-dir . --sanitizer "$sanitizer" "$target" -- -max_total_time="$seconds" \
        -timeout=20 -rss_limit_mb=4096 -max_len=4096 -print_final_stats=1 >"$log" 2>&1 </dev/null &
    while kill -0 $! 2>/dev/null; do
        sleep "$(( seconds < 60 ? seconds / 2 + 1 : 30 ))"
        sed -n '/^#[0-9]/h;${x;s/\( exec\/s.*\)lim.*/\1/;p}' "$log" | cut -c1-100
    done
    if wait $!; then
        echo "    clean: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
    else
        grep -E '^(==[0-9]+==|SUMMARY|thread |.*panicked at)' "$log" | head -5 || true
        sed -n 's/^.*Test unit written to /    brought about by fuzz\//p' "$log"
        failed+=("$target")
    fi
done

if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: ${failed[*]}; try again with: cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . TARGET INPUT" >&2
    exit 1
fi
echo "all clean: ${targets[*]}"
