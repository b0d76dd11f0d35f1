#!/bin/sh
# warm.sh APP: run as root where PostgreSQL and Node are, while the image is built. Adds to APP
#   snapshot.sql    a migrated database without anything of a shop in it, as SQL that any client can send
#   modules.json    the modules that a start loads, in their order
#   .compile-cache  their compiled code; Node keeps it apart by user, so the shop runs here as it will later
# The last two come from a real start on a second database, which also shows that the snapshot makes a shop.
set -eu
app=$1
work=$(mktemp -d)
chmod 0755 "$work"
install -d -o 999 -g 999 "$work/database"
install -d -o 1000 -g 1000 "$work/out" "$app/.compile-cache"

# Where a build shares the machine's network, the usual ports may be taken, and any that Linux gives to who asks for a
# free one (from 32768 on).
export PGPORT=25439 PORT=29009

# Words to put before a command. (A function would stand between this shell and the process that it has to end.)
postgres="setpriv --reuid 999 --regid 999 --clear-groups env HOME=$work/database"
shop="setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=$work/out"

$postgres initdb --pgdata="$work/database/data" --username=medusa --auth=trust --no-sync >/dev/null
$postgres pg_ctl --pgdata="$work/database/data" --log="$work/database/log" --wait \
  --options="-c listen_addresses=127.0.0.1 -c port=$PGPORT -c unix_socket_directories=$work/database -c fsync=off" start >/dev/null
server=
trap '${server:+kill $server}; $postgres pg_ctl --pgdata="$work/database/data" --mode=immediate stop >/dev/null; rm -rf "$work"' EXIT
createdb --host=127.0.0.1 --username=medusa snapshot
createdb --host=127.0.0.1 --username=medusa warm

export NODE_ENV=production MEDUSA_DISABLE_TELEMETRY=true
export JWT_SECRET=build COOKIE_SECRET=build ADMIN_EMAIL=build@localhost ADMIN_PASSWORD=build
database() { echo "postgres://medusa@127.0.0.1:$PGPORT/$1"; }
cd "$app"

logged() { "$@" >"$work/out/log" 2>&1 || { tail -20 "$work/out/log"; exit 1; }; }
logged $shop DATABASE_URL="$(database snapshot)" node src/main.js migrate
# Medusa's Redis modules bring a few migrations more. No Redis is needed for them, only for Medusa's migration scripts,
# which have been run above.
logged $shop DATABASE_URL="$(database snapshot)" REDIS_URL=redis://127.0.0.1:1 \
  node node_modules/@medusajs/cli/cli.js db:migrate --skip-scripts --execute-all-links --execute-safe-search
psql --quiet --host=127.0.0.1 --username=medusa snapshot --command="UPDATE storefleet_shop SET schema_digest = schema_digest || '+redis'"

# Settings of the session and psql's own commands are left out: the snapshot runs within a transaction of ours, on older
# servers too.
pg_dump --host=127.0.0.1 --username=medusa --no-owner --no-privileges --no-comments --inserts --rows-per-insert=500 snapshot |
  sed -E '/^(--|SET |SELECT pg_catalog\.set_config|\\|$)/d' >snapshot.sql
if grep -nE '^INSERT INTO public\.("?user"?|store|sales_channel|api_key|auth_identity|provider_identity|region|product|customer) ' snapshot.sql; then
  echo "the snapshot holds what each shop must have of its own" >&2
  exit 1
fi

$shop DATABASE_URL="$(database warm)" NODE_COMPILE_CACHE="$app/.compile-cache" RECORD_TO="$work/out/modules.json" \
  node --require /build/record.cjs src/main.js >"$work/out/log" 2>&1 &
server=$!
$shop node /build/visit.mjs "http://127.0.0.1:$PORT" || { tail -20 "$work/out/log"; exit 1; }
kill "$server"
wait "$server"
server=
cp "$work/out/modules.json" modules.json
chown -R root:root .compile-cache
du -sh snapshot.sql modules.json .compile-cache
