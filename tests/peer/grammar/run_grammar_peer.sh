#!/bin/sh
# Checks what grammar_samples writes; exit code 77 tells ctest that it was skipped.
# usage: run_grammar_peer.sh GRAMMAR_SAMPLES uniform|model
folder=$(dirname "$0")
if ! command -v node > /dev/null; then
  echo "SKIPPED: the peer tests need Node.js 20 or later"
  exit 77
fi
if [ ! -d "$folder/../node_modules/ajv-formats" ]; then
  echo "SKIPPED: the peers are not installed; run: cd tests/peer && npm ci"
  exit 77
fi
exec node "$folder/check_samples.mjs" "$1" "$2"
