#!/bin/sh
# Installs, with apt-get, the Debian packages that building and testing bellwether need and that are not there yet.
#
#   tests/setup.sh [build] [collectd] [check] [testbed] [browser] [python]        default: all
#
#   build    the C compiler
#   collectd collectd's headers, for the shim of its plugin
#   check    what the tests of the C ABI and of the plugin run: a C++ compiler, pkg-config, valgrind and collectd
#   testbed  what the test bed of real virtual machines runs: collectd, libvirt, QEMU
#   browser  what the tests of the HTML report look at it with: Chromium
#   python   what the peers in Python, the audit of the lexicon and the seeds of the fuzz targets run in
#
# Quick and silent when nothing is missing. Otherwise it says what is missing, and installs it only as root and
#   - with SETUP=yes in the environment, as "make setup" has it, or
#   - in a container, in CI, and on a system without an account of a person (tests/tools.sh has the rule).
# With SETUP=no it installs nothing.
#
# Starts no service, and removes or downgrades no package: where Debian's QEMU cannot be installed beside what is there (a
# qemu-utils from backports, for one), it is unpacked into $QEMU_ASIDE instead.
# Exit status: 0 nothing is missing, 1 something is missing and was not installed (said on stderr).
set -eu

# tests/src/testbed/capabilities.rs looks for the emulator here, after PATH.
QEMU_ASIDE=/usr/local/lib/bellwether/qemu
QEMU_PACKAGES='qemu-system-x86 qemu-system-common qemu-system-data seabios ipxe-qemu'

case $0 in */*) . "${0%/*}/tools.sh" ;; *) . ./tools.sh ;; esac

[ $# -gt 0 ] || set -- build collectd check testbed browser python
missing=
qemu=
need() { # need PACKAGE FILE_OR_COMMAND...
    package=$1
    shift
    have "$@" || case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
}
for group; do
    case $group in
        build)
            need gcc cc
            need libc6-dev /usr/include/stdio.h
            ;;
        collectd)
            # Elsewhere than where Debian has them, they are named.
            [ -n "${COLLECTD_INCLUDE_DIR:-}" ] || need collectd-dev /usr/include/collectd/core/daemon/plugin.h \
                /usr/local/include/collectd/core/daemon/plugin.h /opt/collectd/include/collectd/core/daemon/plugin.h
            ;;
        check)
            need g++ c++
            need pkg-config pkg-config
            # What strangers talk to.
            need openssh-server sshd
            need openssh-client ssh
            need dnsmasq-base dnsmasq
            # What writes and packs the logs that the command reads.
            need rsyslog rsyslogd
            need xz-utils xz
            need zstd zstd
            need bzip2 bzip2
            # What writes the databases of metrics that the command reads as dumps.
            need rrdtool rrdtool
            need valgrind valgrind
            # valgrind cannot start without the symbols of the dynamic linker.
            have valgrind || need libc6-dbg /usr/share/doc/libc6-dbg
            need collectd-core collectd
            # What its plugin write_prometheus is linked with.
            need libmicrohttpd12 /usr/lib/*/libmicrohttpd.so.12
            need libprotobuf-c1 /usr/lib/*/libprotobuf-c.so.1
            # Writes a journal for the Fluent Bit that reads it.
            need systemd-journal-remote /lib/systemd/systemd-journal-remote /usr/lib/systemd/systemd-journal-remote
            ;;
        testbed)
            need collectd-core collectd
            need libvirt-daemon libvirtd
            need libvirt-daemon-driver-qemu /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so
            need libvirt-clients virsh
            need util-linux unshare
            have qemu-system-x86_64 "$QEMU_ASIDE/usr/bin/qemu-system-x86_64" || qemu=wanted
            ;;
        browser)
            have chromium chromium-browser google-chrome chrome || need chromium chromium
            # Without any font it shows no text.
            need fonts-dejavu-core /usr/share/fonts/truetype/*/*.ttf
            ;;
        python)
            need python3 python3
            need python3-venv /usr/lib/python3*/ensurepip/__init__.py
            ;;
        *) fail "unknown group '$group'; known are build, collectd, check, testbed, browser and python" ;;
    esac
done
[ -n "$missing$qemu" ] || exit 0

wanted="${missing# }${qemu:+ qemu-system-x86}"
may_install "$wanted" || exit 1
have apt-get || fail "missing: $wanted; there is no apt-get here, please install them by other means"
[ "$(id -u)" = 0 ] || fail "missing: $wanted; not root, please run: sudo apt-get install --no-install-recommends $wanted"
say "installing $wanted"

export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o APT::Get::Upgrade=false "$@"; }
scratch=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
policy_is_ours=
cleanup() {
    rm -rf "$scratch"
    [ -z "$policy_is_ours" ] || rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
# Debian's way to let packages be installed without starting their services.
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    policy_is_ours=yes
fi

# The indexes of a fresh container are absent or point to packages that have gone since: fetch them once, and go on with
# the old ones if that fails.
apt update >"$scratch/log" 2>&1 || say "apt-get update failed ($(tail -n 1 "$scratch/log")); going on with the indexes at hand"

install_packages() { # fails rather than remove anything
    apt install --no-install-recommends --no-remove "$@" >"$scratch/log" 2>&1 || {
        tail -n 15 "$scratch/log" >&2
        fail "apt-get could not install: $*"
    }
}
# shellcheck disable=SC2086 # lists of words
[ -z "$missing" ] || install_packages $missing

if [ -n "$qemu" ]; then
    # shellcheck disable=SC2086
    if apt install --no-install-recommends --no-remove -s qemu-system-x86 >"$scratch/plan" 2>&1; then
        install_packages qemu-system-x86
    else
        say "Debian's QEMU cannot be installed beside what is here; unpacking it into $QEMU_ASIDE"
        apt install --no-install-recommends -s qemu-system-x86 >"$scratch/plan" 2>&1 ||
            fail "apt-get cannot install qemu-system-x86: $(tail -n 1 "$scratch/plan")"
        libraries=$(sed -n 's/^Inst \([^ ]*\).*/\1/p' "$scratch/plan" | grep -v -e '^qemu-' -e '^seabios$' -e '^ipxe-qemu$' || :)
        # shellcheck disable=SC2086
        [ -z "$libraries" ] || install_packages $libraries
        # shellcheck disable=SC2086
        (cd "$scratch" && chmod 755 . && apt download $QEMU_PACKAGES >log 2>&1) ||
            fail "apt-get could not download QEMU: $(tail -n 1 "$scratch/log")"
        rm -rf "$QEMU_ASIDE.new"
        mkdir -p "$QEMU_ASIDE.new"
        for archive in "$scratch"/*.deb; do dpkg-deb -x "$archive" "$QEMU_ASIDE.new"; done
        rm -rf "$QEMU_ASIDE"
        mv "$QEMU_ASIDE.new" "$QEMU_ASIDE"
        "$QEMU_ASIDE/usr/bin/qemu-system-x86_64" --version >/dev/null 2>"$scratch/log" ||
            fail "the unpacked QEMU does not start: $(tail -n 1 "$scratch/log")"
    fi
fi
say "done"
