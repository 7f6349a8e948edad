#!/bin/sh
# Runs one of the browser's tests under Node; exit code 77 tells ctest that it was skipped.
# usage: run_e2e.sh FILE.test.mjs
folder=$(dirname "$0")
if [ ! -d "$folder/node_modules" ]; then
  echo "SKIPPED: Playwright is not installed; ./test does that (it needs npm)"
  exit 77
fi
if ! command -v chromium > /dev/null; then
  echo "SKIPPED: there is no chromium here; scripts/setup test installs it"
  exit 77
fi
if ! node --version 2> /dev/null | grep -Eq '^v(1[89]|[2-9][0-9])\.'; then
  echo "SKIPPED: the browser's tests need Node.js 18 or later"
  exit 77
fi
exec node --test "$folder/$1"
