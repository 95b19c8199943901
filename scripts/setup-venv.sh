#!/bin/sh
# Makes a Python environment, or leaves it alone when it is there and holds what its requirements ask
# for:
#
#   scripts/setup-venv.sh                 target/venv, of the SDK tests and the tour (tests/sdk)
#   scripts/setup-venv.sh schemathesis    target/venv-schemathesis (tests/schemathesis)
#   scripts/setup-venv.sh openbao         target/venv-openbao (tests/openbao)
set -eu
cd "$(dirname "$0")/.."

name=${1:-sdk}
requirements=tests/$name/requirements.txt
case $name in
    sdk) venv=target/venv ;;
    *) venv=target/venv-$name ;;
esac
# What the environment was made from; written last, so that a broken attempt is made anew.
stamp=$venv/made-from
wanted=$(python3 --version; cat "$requirements")

if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
mkdir -p "$(dirname "$venv")"
# Tests that run at once may all find it missing: one makes it, the others wait.
exec 9>"$venv.lock"
flock 9
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
echo "Making the Python environment in $venv"
rm -rf -- "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
printf '%s\n' "$wanted" >"$stamp"
