#!/bin/sh
# Holds the lexicon against the logging statements in the sources of Linux, QEMU, libvirt, systemd, Ceph, ZFS and what else a
# host of virtual machines runs: what it flags of a judged sample, which share of each level it flags, by project and by
# subsystem, and lists to read.
#
# The sources come from Debian's archive, once, into target/lexicon-audit (some 1.5 GB, never unpacked); no root is needed.
# What Debian does not have is read from folders that LEXICON_SOURCES names: NAME=DIR words, each a git directory, a folder of
# archives or of source files; a NAME that Debian has as well is read from both.
# Usage: [LEXICON_SOURCES="vdsm=/src/vdsm nova=/src/nova"] tests/lexicon-audit.sh [MIRROR [SUITE...]]
set -eu
cd "$(dirname "$0")/.."
. tests/tools.sh
# Where this machine gets Debian from.
mirror=${1:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null \
    | grep -E '/debian/?$' | head -n 1)}
[ -n "$mirror" ] || fail "apt-get knows no mirror of Debian; name one as the first word"
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- bullseye bookworm trixie trixie-backports sid
sources="
    qemu libvirt systemd ceph zfs-linux glusterfs openvswitch ovn multipath-tools mdadm lvm2 corosync kronosnet libqb
    pacemaker drbd-utils sanlock smartmontools rasdaemon nut ipmitool freeipmi openipmi open-iscsi dlm frr keepalived
    network-manager libteam swtpm rust-virtiofsd nfs-utils earlyoom sbd watchdog bcache-tools xen resource-agents fence-agents
    cluster-glue booth apcupsd thermald udisks2 rsyslog openssh audit dbus chrony docker.io containerd nbd ocfs2-tools
    gfs2-utils lldpad ledmon passt irqbalance rdma-core oomd"
there=$PWD/${CARGO_TARGET_DIR:-target}/lexicon-audit
case ${CARGO_TARGET_DIR:-} in /*) there=$CARGO_TARGET_DIR/lexicon-audit ;; esac

require apt-get dpkg-deb tar xz git python3 "$CARGO"

echo "==> the extractors"
PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 python3 -m unittest -q lexicon_audit.test_extractors

mkdir -p "$there/lists/partial" "$there/cache/archives/partial" "$there/archives" "$there/statements"
apt() { # apt LIST COMMAND WORD...: the system's own lists stay as they are.
    tool=$2
    list=$1
    shift 2
    "$tool" -q -o Dir::Etc::sourcelist="$there/$list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$there/lists" \
        -o Dir::Cache="$there/cache" -o Acquire::Languages=none -o APT::Get::List-Cleanup=0 "$@"
}
# The archives of a package's sources, without Debian's changes and signatures.
archives_of() {
    find "$there/archives/$1" -name '*.tar.*' ! -name '*.debian.tar.*' ! -name '*.asc' 2>/dev/null
}
if [ ! -e "$there/complete" ]; then
    echo "==> fetching the sources (once)"
    : >"$there/sources.list"
    suites=
    for suite; do
        printf 'deb %s %s main\ndeb-src %s %s main\n' "$mirror" "$suite" "$mirror" "$suite" >"$there/one.list"
        if apt one.list apt-get update >"$there/update.log" 2>&1 && ! grep -q '^[EW]: Failed' "$there/update.log"; then
            cat "$there/one.list" >>"$there/sources.list"
            suites="$suite $suites"
        else
            say "the mirror does not have $suite"
        fi
    done
    [ -n "$suites" ] || fail "the mirror has none of: $*"
    apt sources.list apt-get update >"$there/update.log" 2>&1 || fail "apt-get update failed; see $there/update.log"
    # The long-term kernels of Debian's releases, and the newest.
    all=$(apt sources.list apt-cache search --names-only '^linux-source-[0-9.]+$' | cut -d ' ' -f 1 | sort -V)
    newest=$(echo "$all" | tail -n 1)
    for kernel in $(echo "$all" | grep -E -- '-(5\.10|6\.1|6\.12)$' || :) $newest; do
        ls "$there/archives/${kernel}_"*.deb >/dev/null 2>&1 \
            || (cd "$there/archives" && apt sources.list apt-get download "$kernel") || say "not to be had: $kernel"
    done
    for package in $sources; do
        mkdir -p "$there/archives/$package"
        # The newest; where the mirror lacks its files, that of an older suite.
        for release in '' $suites; do
            [ -z "$(archives_of "$package")" ] || break
            (cd "$there/archives/$package" && apt sources.list apt-get source --only-source --download-only \
                "$package${release:+/$release}" >>"$there/source.log" 2>&1) || :
        done
        [ -n "$(archives_of "$package")" ] || say "not to be had: $package"
    done
    touch "$there/complete"
fi

# PROJECT=PLACE,... of what is there. The kernels from the oldest to the newest.
kernels=$(find "$there/archives" -name 'linux-source-*.deb' | sort -V | tr '\n' ',')
projects=${kernels:+linux=${kernels%,}}
for package in $sources; do
    places=$(archives_of "$package" | tr '\n' ',')
    for named in ${LEXICON_SOURCES:-}; do
        [ "${named%%=*}" != "$package" ] || places=$places${named#*=},
    done
    [ -z "$places" ] || projects="$projects $package=${places%,}"
done
for named in ${LEXICON_SOURCES:-}; do
    case $named in *=*) ;; *) fail "LEXICON_SOURCES has \"$named\"; it takes NAME=DIR words" ;; esac
    [ -e "${named#*=}" ] || fail "LEXICON_SOURCES names ${named#*=}, which is not there"
    case " $(echo $sources) " in *" ${named%%=*} "*) ;; *) projects="$projects $named" ;; esac
done

echo "==> judging every logging statement"
"$CARGO" build --quiet --locked -p bellwether-core --example classify
classify=$there/../debug/examples/classify
# shellcheck disable=SC2086 # several words
PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 python3 -m lexicon_audit "$classify" "$there/statements" tests/lexicon-audit/judged.tsv $projects
if dmesg >"$there/boot.log" 2>/dev/null && [ -s "$there/boot.log" ]; then
    echo "This machine's kernel log: $(wc -l <"$there/boot.log") lines, of which flagged:"
    "$classify" <"$there/boot.log" | awk -F '\t' '$1 >= 0.5 { count++; print "  " $0 } END { print "  " count + 0 " lines" }'
fi
