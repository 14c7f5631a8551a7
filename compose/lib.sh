# Shared by the scripts beside it; sourced, not run.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
SECRETS=${DSTORAGE_SECRETS:-$HERE/secrets}
# Compose takes a relative path from its files' directory.
case $SECRETS in /*) ;; *) SECRETS=$HERE/$SECRETS ;; esac
IMAGE=${DSTORAGE_IMAGE:-dstorage}
PROJECT=${COMPOSE_PROJECT_NAME:-dstorage}
OVERLAYS='single faults load-balancer monitoring'
STARTED=$SECONDS

say() { printf '\033[1m== [%3ds] %s\033[0m\n' $((SECONDS - STARTED)) "$*"; }

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

help() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }

# Compose 2 is a plugin of the docker command, compose 1 a command of its own.
find_compose() {
    command -v docker >/dev/null || die "no docker command: install the Docker engine"
    docker info >/dev/null 2>&1 ||
        die "the Docker engine does not answer: start it, or join the group that may use it"
    if docker compose version >/dev/null 2>&1; then
        COMPOSE=(docker compose)
    elif command -v docker-compose >/dev/null; then
        COMPOSE=(docker-compose)
    else
        die "no compose: install the docker compose plugin, or docker-compose 1.29 or later"
    fi
    COMPOSE+=(--project-name "$PROJECT" --project-directory "$HERE" -f "$HERE/compose.yaml")
}

# add_overlays NAME...: into COMPOSE. compose/up notes them in the secrets' directory.
add_overlays() {
    local name
    for name in "$@"; do
        if [ "$name" = more ]; then
            COMPOSE+=(--profile more)
            continue
        fi
        case " $OVERLAYS " in
        *" $name "*) COMPOSE+=(-f "$HERE/$name.yaml") ;;
        *) die "unknown overlay '$name': there are more $OVERLAYS" ;;
        esac
    done
}

noted_overlays() { cat "$SECRETS/overlays-$PROJECT" 2>/dev/null || true; }
