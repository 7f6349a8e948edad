#!/bin/sh
# Runs one peer test under Node; exit code 77 tells ctest that it was skipped.
# usage: run_peer_test.sh FILE.test.mjs
#
# llama.cpp's package needs Node 20 and Debian 12 has 18, so a newer Node comes with the peers.
folder=$(dirname "$0")
if [ ! -d "$folder/node_modules" ]; then
  echo "SKIPPED: the peers are not installed; ./test does that"
  exit 77
fi
for node in "$folder"/node_modules/node-linux-*/bin/node node; do
  if "$node" --version 2> /dev/null | grep -Eq '^v([2-9][0-9])\.'; then
    exec "$node" --test "$folder/$1"
  fi
done
echo "SKIPPED: the peer tests need Node.js 20 or later"
exit 77
