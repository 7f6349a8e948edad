#!/bin/sh
# Runs one peer test under Node; exit code 77 tells ctest that it was skipped.
# usage: run_peer_test.sh FILE.test.mjs
folder=$(dirname "$0")
if ! command -v node > /dev/null; then
  echo "SKIPPED: the peer tests need Node.js 20 or later"
  exit 77
fi
if [ ! -d "$folder/node_modules" ]; then
  echo "SKIPPED: the peers are not installed; run: cd tests/peer && npm ci"
  exit 77
fi
exec node --test "$folder/$1"
