#!/bin/sh
# Compares the driver's renderings with an oracle's; exit code 77 tells ctest that it was skipped.
# usage: run_template_peer.sh jinja2|huggingface DRIVER
folder=$(dirname "$0")
python=/usr/bin/python3
if [ "$1" = jinja2 ] && ! "$python" -c 'import jinja2' 2> /dev/null; then
  echo "SKIPPED: jinja2 is not installed; run: apt-get install python3-jinja2"
  exit 77
fi
if [ "$1" = huggingface ]; then
  if ! command -v node > /dev/null; then
    echo "SKIPPED: the peer tests need Node.js 20 or later"
    exit 77
  fi
  if [ ! -d "$folder/../node_modules/@huggingface/jinja" ]; then
    echo "SKIPPED: the peers are not installed; run: cd tests/peer && npm ci"
    exit 77
  fi
fi
exec "$python" "$folder/template_peer.py" "$1" "$2"
