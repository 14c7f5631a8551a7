# Shared by the scripts beside it; sourced, not run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where the dev cluster keeps its state.
DST_HOME=${DST_HOME:-$ROOT/.dstorage}
case $DST_HOME in /*) ;; *) DST_HOME=$PWD/$DST_HOME ;; esac
STARTED=$SECONDS
# How the release program is built: with Swift's libraries in it, so that it runs where there are none.
RELEASE=(-c release --product dstnode --static-swift-stdlib)

say() { printf '\033[1m== [%3ds] %s\033[0m\n' $((SECONDS - STARTED)) "$*"; }

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "'$*' needs root: run this as root, or install sudo"
    fi
}

# install PACKAGE...: what is missing of them.
install_packages() {
    local missing=() package
    command -v dpkg-query >/dev/null || {
        say "not Debian or Ubuntu: make sure these are installed: $*"
        return 0
    }
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return 0
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" >/dev/null
}

install_build_packages() {
    command -v swift >/dev/null ||
        die "no swift on the PATH: install the Swift 6.3 toolchain (https://swift.org/install)"
    install_packages ca-certificates git pkg-config libsqlite3-dev libssl-dev libyaml-dev zlib1g-dev
}

# boto3, in an environment of its own unless the machine has it; what runs it in PYTHON.
install_python_clients() {
    install_packages python3 python3-venv
    PYTHON=python3
    python3 -c 'import boto3' 2>/dev/null && return 0
    PYTHON=$ROOT/.build/test-clients/bin/python3
    "$PYTHON" -c 'import boto3' 2>/dev/null && return 0
    say "installing boto3"
    python3 -m venv "$ROOT/.build/test-clients"
    "$ROOT/.build/test-clients/bin/pip" install --quiet boto3
}

# The release program; its path in DSTNODE.
build_release() {
    install_build_packages
    say "building dstnode (release); the first time takes some minutes"
    # What somebody exported for tests must not turn their compiler's warnings into errors here.
    (cd "$ROOT" && env -u DST_STRICT swift build "${RELEASE[@]}")
    DSTNODE=$(cd "$ROOT" && env -u DST_STRICT swift build "${RELEASE[@]}" --show-bin-path)/dstnode
}

# The dev cluster's process id, if it runs.
dev_pid() {
    local pid
    [ -f "$DST_HOME/dev.pid" ] || return 1
    pid=$(cat "$DST_HOME/dev.pid")
    case $pid in '' | *[!0-9]*) return 1 ;; esac
    # The number may be another process's by now.
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dstnode ] || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF -- "$DST_HOME" || return 1
    echo "$pid"
}
