#!/usr/bin/env bash
# Installs what the machine lacks, from Debian's packages, and nothing when nothing is missing.
#
#   scripts/setup-system.sh run     what building and `make run` need
#   scripts/setup-system.sh test    the same, and what the tests need
set -euo pipefail

purpose=${1:-test}
packages=()

if ! command -v cargo >/dev/null 2>&1; then
    echo "There is no cargo on this machine: install Rust first." >&2
    exit 1
fi

have() { command -v "$1" >/dev/null 2>&1; }

# A C compiler: SQLite and aws-lc are built from C.
have cc || packages+=(build-essential)
# Debian splits the module that makes virtual environments from Python.
have python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || packages+=(python3 python3-venv)
have curl || packages+=(curl)
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)

# The official SDKs for JavaScript run in the tests.
if [ "$purpose" = test ]; then
    have node && have npm || packages+=(nodejs npm)
fi

# Debian keeps the server's programs out of the search path.
postgres_there() {
    have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}
if [ "$purpose" = test ] && [ -z "${TEST_DATABASE_URL:-}" ] && ! postgres_there; then
    packages+=(postgresql)
fi

[ ${#packages[@]} -gt 0 ] || exit 0

echo "Missing on this machine: ${packages[*]}"
if ! have apt-get; then
    echo "There is no apt-get to install them with: install them in your system's way." >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif have sudo; then
    as_root=(sudo)
else
    echo "Neither root nor sudo is at hand. Ask an administrator to run:" >&2
    echo "    apt-get update && apt-get install ${packages[*]}" >&2
    exit 1
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}"
