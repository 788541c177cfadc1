#!/bin/sh
# Holds the lexicon against the logging statements in the sources of Linux, QEMU, libvirt, systemd, mdadm and
# multipath-tools: which share of each level it flags, by subsystem, and lists to read.
#
# The sources come from Debian's archive, once, into target/lexicon-audit (some 180 MB); no root is needed.
# Usage: tests/lexicon-audit.sh [MIRROR [SUITE]]
set -eu
cd "$(dirname "$0")/.."
. tests/tools.sh
suite=${2:-bookworm}
# Where this machine gets that suite from.
mirror=${1:-$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null \
    | sed -n "s/^$suite //p" | head -n 1)}
[ -n "$mirror" ] || fail "apt-get knows no mirror of $suite; name one as the first word"
linux=linux-source-6.1
sources="qemu libvirt systemd mdadm multipath-tools"
there=$PWD/${CARGO_TARGET_DIR:-target}/lexicon-audit
case ${CARGO_TARGET_DIR:-} in /*) there=$CARGO_TARGET_DIR/lexicon-audit ;; esac

require apt-get dpkg-deb tar python3 "$CARGO"

mkdir -p "$there/lists/partial" "$there/cache/archives/partial"
if [ ! -e "$there/src/complete" ]; then
    echo "==> fetching the sources (once)"
    printf 'deb %s %s main\ndeb-src %s %s main\n' "$mirror" "$suite" "$mirror" "$suite" >"$there/sources.list"
    # The system's own lists stay as they are.
    apt() {
        (cd "$there" && apt-get -q -o Dir::Etc::sourcelist="$there/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::State::lists="$there/lists" -o Dir::Cache="$there/cache" "$@")
    }
    apt update
    ls "$there"/${linux}_*.deb >/dev/null 2>&1 || apt download $linux
    # shellcheck disable=SC2086 # several words
    apt source --download-only $sources

    echo "==> unpacking what logs"
    rm -rf "$there/src" "$there/deb"
    mkdir -p "$there/src"
    for archive in "$there"/*.orig.tar.*; do
        case $archive in *.asc) continue ;; esac
        tar -C "$there/src" -xf "$archive" --wildcards '*.c' '*.h'
    done
    dpkg-deb -x "$there"/${linux}_*.deb "$there/deb"
    tar -C "$there/src" -xf "$there/deb/usr/src/$linux.tar.xz" --wildcards '*/kernel/*.c' '*/mm/*.c' '*/block/*.c' \
        '*/fs/*.c' '*/drivers/*.c' '*/net/*.c' '*/arch/x86/*.c' '*/lib/*.c' '*/init/*.c'
    rm -rf "$there/deb"
    touch "$there/src/complete"
fi

echo "==> judging every logging statement"
"$CARGO" build --quiet --locked -p bellwether-core --example classify
classify=$there/../debug/examples/classify
python3 tests/lexicon_audit.py "$there/src" "$classify" "$there"
if dmesg >"$there/boot.log" 2>/dev/null && [ -s "$there/boot.log" ]; then
    echo "This machine's kernel log: $(wc -l <"$there/boot.log") lines, of which flagged:"
    "$classify" <"$there/boot.log" | awk -F '\t' '$1 >= 0.5 { count++; print "  " $0 } END { print "  " count + 0 " lines" }'
fi
