#!/usr/bin/env bash
# Builds the Debian package, installs it into an empty root, uses it there, and removes it again.
#   package_test.sh BUILD_FOLDER         exits with 77 where there is no cpack or dpkg
set -euo pipefail

build=$1
for tool in cpack dpkg-deb dpkg dpkg-shlibdeps file; do
  if ! command -v "$tool" >/dev/null; then
    echo "SKIPPED: no $tool here"
    exit 77
  fi
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'package: %s\n' "$*" >&2
  exit 1
}

cpack --config "$build/CPackConfig.cmake" -B "$scratch/out" >"$scratch/cpack.log" 2>&1 ||
  fail "cpack failed: $(cat "$scratch/cpack.log")"
package=$(echo "$scratch"/out/notso_*.deb)
[[ -s $package ]] || fail "there is no package in $(ls "$scratch/out")"

# What it says about itself: the libraries that the program is linked with are its dependencies.
depends=$(dpkg-deb --field "$package" Depends)
for library in libc6 libcurl libssl; do
  [[ $depends == *"$library"* ]] || fail "$library is missing in its dependencies: $depends"
done
[[ $(dpkg-deb --field "$package" Package) == notso ]] || fail "it is not called notso"

files=$(dpkg-deb --contents "$package" | awk '{print $6}')
for file in bin/notso share/man/man1/notso.1.gz share/bash-completion/completions/notso \
  share/zsh/vendor-completions/_notso share/fish/vendor_completions.d/notso.fish \
  share/doc/notso/licenses/katex share/doc/notso/licenses/htmx.org \
  share/doc/notso/licenses/highlightjs share/doc/notso/copyright share/doc/notso/changelog.gz \
  lib/systemd/system/notso.service lib/systemd/system/notso.socket; do
  grep --quiet --line-regexp "./usr/$file" <<<"$files" || fail "$file is not in it: $files"
done
if dpkg-deb --contents "$package" | awk '$1 !~ /^l/ && substr($1, 6, 1) == "w"' | grep .; then
  fail "the files above may be written by their group"
fi

# Under /usr/local everything is where Debian's programs look for it there.
DESTDIR=$scratch/local cmake --install "$build" --prefix /usr/local >"$scratch/install.log" ||
  fail "cmake --install failed: $(cat "$scratch/install.log")"
for file in bin/notso share/zsh/site-functions/_notso lib/systemd/system/notso.service; do
  [[ -s $scratch/local/usr/local/$file ]] || fail "/usr/local/$file is not installed"
done

# A real installation, in a root where there is nothing else.
root=$scratch/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
in_root() {
  PATH=$PATH:/usr/sbin:/sbin dpkg --root="$root" --force-not-root --force-depends \
    --force-script-chrootless --log="$scratch/dpkg.log" "$@" >>"$scratch/dpkg.out" 2>&1 ||
    fail "dpkg $* failed: $(cat "$scratch/dpkg.out")"
}
in_root --install "$package"
"$root/usr/bin/notso" --version | grep --quiet '^notso [0-9]' || fail "it does not run"
zcat "$root/usr/share/man/man1/notso.1.gz" | grep --quiet '^\.SH COMMANDS' || fail "no manual page"
bash -n "$root/usr/share/bash-completion/completions/notso"
mkdir -p "$root/var/lib/notso"
in_root --remove notso
[[ ! -e $root/usr/bin/notso ]] || fail "it is still there after its removal"
[[ -d $root/var/lib/notso ]] || fail "removal took the models along"
in_root --purge notso
left=$(cd "$root" && find . -path ./var/lib/dpkg -prune -o -type f -print -o -name '*notso*' -print)
[[ -z $left ]] || fail "this is left after it was purged: $left"
echo "package: $(basename "$package"), $(stat --format %s "$package") bytes; depends: $depends"
