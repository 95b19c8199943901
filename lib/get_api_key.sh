#!/bin/sh
# Prints a tenant's key for an AI service, for callers that are older than `diamond`.
#
#   KEY=$(lib/get_api_key.sh SERVICE TENANT [TIER])
#
# DIAMOND_TOKEN is the access token (scope keys:reveal), DIAMOND_URL the server's address, and
# DIAMOND_PURPOSE says why (operators must). Needs curl. The token reaches curl on its standard
# input: arguments are in every process list. Exit statuses are those of `diamond --help`.
set -eu

fail() {
    status=$1
    shift
    printf 'error: %s\n' "$*" >&2
    exit "$status"
}

# Only what cannot end a quotation or a path is put into one.
plain() {
    case $2 in
        '' | *[!A-Za-z0-9_.:/@\ -]*) fail 2 "$1 is empty or has letters that do not belong in it" ;;
    esac
}

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    printf 'usage: %s SERVICE TENANT [TIER]\n' "${0##*/}" >&2
    exit 2
fi
service=$1
tenant=$2
tier=${3:-}
url=${DIAMOND_URL:-http://127.0.0.1:8080}
token=${DIAMOND_TOKEN:-}
purpose=${DIAMOND_PURPOSE:-}

case $service$tenant in *[!a-z0-9-]*) fail 2 "SERVICE and TENANT are lower-case letters, digits and hyphens" ;; esac
plain DIAMOND_URL "$url"
[ -n "$token" ] || fail 3 "DIAMOND_TOKEN is not set"
plain DIAMOND_TOKEN "$token"

body=
if [ -n "$tier" ]; then
    plain TIER "$tier"
    body="\\\"tier\\\":\\\"$tier\\\""
fi
if [ -n "$purpose" ]; then
    plain DIAMOND_PURPOSE "$purpose"
    body="${body:+$body,}\\\"purpose\\\":\\\"$purpose\\\""
fi

answer=$(
    curl --disable --silent --show-error --max-time 60 --config - <<CONFIG
url = "${url%/}/api/keys/$service/$tenant"
header = "Authorization: Bearer $token"
header = "Content-Type: application/json"
data = "{$body}"
write-out = "\n%{http_code}"
CONFIG
) || fail 6 "$url cannot be reached"

status=$(printf '%s\n' "$answer" | tail -n 1)
answer=$(printf '%s\n' "$answer" | sed '$d')

# The text of a JSON string field, with its escapes undone.
field() {
    printf '%s\n' "$answer" |
        sed -nE 's/.*"'"$1"'":"(([^"\\]|\\.)*)".*/\1/p' |
        sed -E 's/\\(["\\/])/\1/g'
}

case $status in
    200) ;;
    401 | 403) fail 3 "$(field message)" ;;
    404) fail 4 "$(field message)" ;;
    409) fail 5 "$(field message)" ;;
    400 | 413 | 415 | 422) fail 2 "$(field message)" ;;
    *) fail 1 "the server answered with status $status: $(field message)" ;;
esac
key=$(field apiKey)
[ -n "$key" ] || fail 1 "the answer of $url has no key: is it a diamond server?"
printf '%s\n' "$key"
