# Sourced by the project's scripts: one way to find cargo and other tools, and one rule on what may be installed.
# shellcheck shell=sh

# cargo may be installed and not in PATH: rustup puts it in the home folder, which the environment need not name.
: "${HOME:=$(eval echo "~$(id -un)")}"
export HOME
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
export PATH
: "${CARGO:=cargo}"

me=${0##*/}
me=${me%.sh}
say() { printf '%s: %s\n' "$me" "$*" >&2; }
fail() { say "$*"; exit 1; }

# have WORD...: is one of these files or commands there?
have() {
    for word; do
        case $word in
            /*) [ -e "$word" ] && return 0 ;;
            *) PATH=$PATH:/usr/sbin:/sbin command -v "$word" >/dev/null 2>&1 && return 0 ;;
        esac
    done
    return 1
}

# require WORD...: ends the script where one of these commands is missing.
require() {
    for tool; do
        have "$tool" || fail "there is no $tool; \"make setup\" installs what is missing (Rust: see https://rustup.rs)"
    done
}

# Is this a machine that is not anybody's workstation? A container or a CI runner is made for one purpose, and so is a system
# without an account of a person: a user id from 1000 to 59999 with a home folder and a shell. Who comes with sudo is a person
# whose account may be elsewhere. Tests look elsewhere than in /.
is_fresh_machine() {
    root=${SETUP_ROOT:-}
    [ -z "${CI:-}${container:-}" ] || return 0
    have "$root/.dockerenv" "$root/run/.containerenv" "$root/run/systemd/container" && return 0
    [ -z "${SUDO_USER:-}" ] || return 1
    while IFS=: read -r _ _ id _ _ home shell; do
        case $shell in */nologin | */false | '') continue ;; esac
        [ "$id" -ge 1000 ] && [ "$id" -lt 60000 ] && [ -d "$root$home" ] && return 1
    done <"$root/etc/passwd"
    return 0
}

# may_install WHAT: may it be installed now? Says why not. SETUP=yes allows it, SETUP=no forbids it; otherwise it depends on the
# machine.
may_install() {
    case ${SETUP:-auto} in
        yes) ;;
        no)
            say "missing: $1; nothing is installed with SETUP=no"
            return 1
            ;;
        *)
            is_fresh_machine && return 0
            say "missing: $1; on a machine that people work on nothing is installed unasked, \"make setup\" (as root) or SETUP=yes does"
            return 1
            ;;
    esac
}

# cargo_tool NAME: installs cargo's subcommand NAME where it is missing.
cargo_tool() {
    require "$CARGO"
    "$CARGO" "$1" --version >/dev/null 2>&1 && return 0
    # It goes into the home folder, and whoever runs a target that needs it has asked for it.
    [ "${SETUP:-auto}" != no ] || fail "missing: cargo-$1; nothing is installed with SETUP=no"
    say "installing cargo-$1"
    "$CARGO" install --locked "cargo-$1"
}
