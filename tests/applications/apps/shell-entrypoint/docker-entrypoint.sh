#!/bin/bash
set -euo pipefail
mkdir -p /tmp/www
envsubst < /etc/greeting.template > /tmp/www/greeting.txt
exec "$@"
