# shellcheck shell=bash
# What ./run and ./test share; meant to be sourced, from any directory.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${NOTSO_JOBS:-$(nproc)}

# ccache makes the second build of a preset, or of a fresh clone elsewhere, a matter of seconds.
use_ccache() {
  command -v ccache >/dev/null || return 0
  export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER:-ccache}
  export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$root}
  export CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
}

# Runs a command with its output in the file LOG; shows the end of it when the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if "$@" >"$log" 2>&1 </dev/null; then return 0; fi
  tail -n 60 "$log" >&2
  printf 'the whole output is in %s\n' "${log#"$root"/}" >&2
  return 1
}

# Runs a command without address randomisation where that is allowed: the sanitizers of g++ 12 place
# their shadow memory at fixed addresses and stop when a library happens to lie there.
fixed_addresses() {
  if setarch "$(uname -m)" -R true 2>/dev/null; then
    setarch "$(uname -m)" -R "$@"
  else
    "$@"
  fi
}

# configure PRESET [ARG...]: makes build/PRESET ready; further arguments go to cmake.
configure() {
  use_ccache
  quietly "$root/build/log/configure-$1.txt" cmake -S "$root" --preset "$@"
}

# build PRESET [TARGET...]: builds a configured preset. A terminal shows ninja's progress line.
build() {
  local preset=$1
  shift
  use_ccache
  local -a command=(fixed_addresses cmake --build "$root/build/$preset" --parallel "$jobs"
    --target "${@:-all}")
  if [[ -t 1 ]]; then
    "${command[@]}" </dev/null
  else
    quietly "$root/build/log/build-$preset.txt" "${command[@]}"
  fi
}

# The peers are other people's programs that serve as oracles: llama.cpp and Hugging Face's
# tokenizers, and what drives a browser, from npm. What needs them must look whether they are there:
# this succeeds without.
install_peers() {
  install_npm_packages "$root/tests/peer" 'the tests against other programs'
  install_npm_packages "$root/tests/e2e" "the browser's tests"
}

# install_npm_packages FOLDER USE: what its lock file names, unless that is there already.
install_npm_packages() {
  local folder=$1 use=$2 stamp log
  local installed="$folder/node_modules/.notso-installed"
  log="$root/build/log/npm-$(basename "$folder").txt"
  [[ -f $folder/package-lock.json ]] || return 0
  stamp=$(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum)
  [[ $(cat "$installed" 2>/dev/null) != "$stamp" ]] || return 0
  if ! command -v npm >/dev/null; then
    echo "    SKIPPED: no npm here, so $use will not run"
    return 0
  fi
  # package.json overrides llama.cpp's libraries for GPUs and other systems, 600 MB, with a tiny
  # package. Optional packages must stay in: the library for this processor is one of them.
  # --ignore-scripts: the binaries come inside the packages; nothing of theirs runs at installation.
  if quietly "$log" npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund; then
    echo "$stamp" >"$installed"
  else
    echo "    SKIPPED: npm ci failed, so $use will not run"
  fi
}
