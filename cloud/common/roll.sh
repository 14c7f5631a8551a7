# Shared by gcp/roll and azure/roll; sourced, not run.
set -euo pipefail

say() { printf '== %s\n' "$*"; }

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# wait_until_well COMMAND...: until it succeeds, DST_ROLL_TIMEOUT seconds at most. A cluster that does
# not get well keeps all its other machines.
wait_until_well() {
    local deadline=$((SECONDS + ${DST_ROLL_TIMEOUT:-7200}))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] ||
            die "the cluster is not well, says '$*'; no more machines are replaced"
        sleep "${DST_ROLL_PAUSE:-10}"
    done
}
