#!/bin/sh
set -eu
jq -r '.[] | "\(.name) \(.tons)"' "$1" | sort | awk '{ sum += $2; print } END { printf "total %d\n", sum }'
