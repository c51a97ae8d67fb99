#!/bin/sh
# Starts the broker of compose: start.sh FILE... lays property files over each other, formats an empty disk, and runs.
# In place of the image's own start, which writes into folders that are read-only here and knows no SCRAM users.
set -eu

LIBRARIES=${KAFKA_LIBRARIES:-/opt/kafka/libs}
SECRETS=${KAFKA_SECRETS:-/run/secrets}
WORK=${KAFKA_WORK:-/tmp}
here=$(cd "$(dirname "$0")" && pwd)

settings=$WORK/server.properties
cat "$@" >"$settings"
data=$(sed -n 's/^log\.dirs=//p' "$settings" | tail -n 1)

user() { printf 'SCRAM-SHA-512=[name=%s,password=%s]' "$1" "$(cat "$SECRETS/kafka_$1_password")"; }

if [ ! -f "$data/meta.properties" ]; then
    mkdir -p "$data"
    cluster=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' | cut -c 1-22)
    set -- format --cluster-id "$cluster" --config "$settings"
    # those without whom nobody could let anybody else in
    if grep -q '^sasl\.enabled\.mechanisms=' "$settings"; then
        set -- "$@" --add-scram "$(user broker)" --add-scram "$(user admin)"
    fi
    java -Xmx128m -cp "$LIBRARIES/*" kafka.tools.StorageTool "$@"
fi

# shellcheck disable=SC2086  # several words on purpose
exec java ${KAFKA_HEAP:--Xms256m -Xmx1g} -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:+ExitOnOutOfMemoryError \
    "-Dlog4j2.configurationFile=$here/log4j2.properties" -cp "$LIBRARIES/*" kafka.Kafka "$settings"
