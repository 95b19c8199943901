#!/bin/sh
# Installs the official SDKs for JavaScript into target/node (tests/sdk-js), or leaves them alone when
# they are there as the lock file asks. The lock file names no registry: npm asks the one that it is
# set up with, and checks what it gets against the lock file's hashes.
set -eu
cd "$(dirname "$0")/.."

from=tests/sdk-js
to=target/node
# What it was made from; written last, so that a broken attempt is made anew.
wanted=$(node --version; cat "$from/package-lock.json")
is_made() {
    [ "$(cat "$to/made-from" 2>/dev/null)" = "$wanted" ]
}

# A module finds its own beside itself.
put_tests() {
    cp "$from"/*.mjs "$to/"
}

if is_made; then
    put_tests
    exit 0
fi
mkdir -p "$(dirname "$to")"
# Tests that run at once may all find it missing: one makes it, the others wait.
exec 9>"$to.lock"
flock 9
if is_made; then
    put_tests
    exit 0
fi
echo "Installing the SDKs for JavaScript in $to"
rm -rf -- "$to"
mkdir -p "$to"
cp "$from/package.json" "$from/package-lock.json" "$to/"
(cd "$to" && npm ci --omit=optional --no-audit --no-fund --loglevel=error)
put_tests
printf '%s\n' "$wanted" >"$to/made-from"
