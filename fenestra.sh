#!/usr/bin/env bash
# Fenestra in two commands:
#   ./fenestra.sh         installs what is missing, builds, trains a model on the bundled sample and writes with it
#   ./fenestra.sh test    the same, and runs the whole test suite
# Any other arguments go to the program: ./fenestra.sh train --help
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

say() { printf '==> %s\n' "$*"; }
die() { printf 'fenestra.sh: %s\n' "$*" >&2; exit 1; }

# What the build needs, by package manager. Every library here is one that CONTRIBUTING.md gives a reason for.
apt_packages="gcc libc6-dev pkg-config meson ninja-build libglib2.0-dev libjson-glib-dev libopenblas-dev libpcre2-dev libxxhash-dev"
dnf_packages="gcc pkgconf-pkg-config meson ninja-build glib2-devel json-glib-devel openblas-devel pcre2-devel xxhash-devel"
pacman_packages="gcc pkgconf meson ninja glib2 json-glib openblas pcre2 xxhash"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "these packages are missing and this user may not install them: $*"
  fi
}

# Everything that the build looks for is there: then no package manager is asked at all.
tools_present() {
  command -v cc >/dev/null && command -v meson >/dev/null && command -v ninja >/dev/null &&
    command -v pkg-config >/dev/null &&
    pkg-config --exists gio-2.0 gio-unix-2.0 json-glib-1.0 openblas libpcre2-8 libxxhash
}

install_missing() {
  tools_present && return 0
  local missing=() package
  if command -v apt-get >/dev/null; then
    for package in $apt_packages; do
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    say "installing with apt: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  elif command -v dnf >/dev/null; then
    say "installing with dnf: $dnf_packages"
    # shellcheck disable=SC2086
    as_root dnf install -y -q $dnf_packages
  elif command -v pacman >/dev/null; then
    say "installing with pacman: $pacman_packages"
    # shellcheck disable=SC2086
    as_root pacman -S --needed --noconfirm $pacman_packages
  else
    die "no apt, dnf or pacman here; install a C compiler, Meson, Ninja, GLib, json-glib, OpenBLAS, PCRE2 and xxHash"
  fi
  tools_present || die "some of what the build needs is still missing; see the package manager's output above"
}

# build FOLDER OPTIONS...: configures once, then compiles what changed.
build() {
  local folder=$1; shift
  say "building in $folder/"
  if [ -f "$folder/build.ninja" ]; then
    meson configure "$folder" "$@" >/dev/null
  else
    meson setup "$folder" "$@" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; rm -f "$folder.log"; die "meson setup failed"; }
    rm -f "$folder.log"
  fi
  ninja -C "$folder" --quiet
}

build_release() { build build-release --buildtype=release -Dtests=disabled -Dbench=disabled; }

# Trains the sample with settings that two CPU cores finish in a minute or two, then lets the model write.
train_sample() {
  local cli=build-release/core/cli/fenestra-cli run
  say "training a small model on the sample text (Fenestra's own user guide)"
  "$cli" train --config data/presets/sample.json
  run=$("$cli" runs last)
  say "the model writes:"
  "$cli" generate --model "$run/model" --prompt "Fenestra is" --max-tokens 120 --seed 7
  say "the run folder: $run"
  say "next: ./fenestra.sh train --help"
}

run_tests() {
  local status=0
  build build --buildtype=debugoptimized -Dtests=enabled -Dbench=enabled
  say "running the tests"
  meson test -C build --no-rebuild --print-errorlogs || status=$?
  # One line for machines, counted from Meson's own record of every test program's cases.
  python3 tests/summary.py build/meson-logs/testlog.junit.xml || status=1
  return "$status"
}

main() {
  case "${1-}" in
    "") install_missing; build_release; train_sample ;;
    test) install_missing; run_tests ;;
    *) install_missing; build_release; exec build-release/core/cli/fenestra-cli "$@" ;;
  esac
}
main "$@"
