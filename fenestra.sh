#!/usr/bin/env bash
# Fenestra in two commands:
#   ./fenestra.sh         installs what is missing, builds, and opens the window on the bundled sample; without a display
#                         it trains the sample in the terminal and lets the model write
#   ./fenestra.sh test    installs what is missing, builds, and runs the whole test suite (on a display of its own)
# Any other arguments go to the command line: ./fenestra.sh train --help
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

say() { printf '==> %s\n' "$*"; }
die() { printf 'fenestra.sh: %s\n' "$*" >&2; exit 1; }

# What the build needs, by package manager: the library and the command line, then the window. Every library here is one
# that CONTRIBUTING.md gives a reason for.
# shellcheck disable=SC2034  # read by packages(), by name
{
  apt_core="gcc libc6-dev pkg-config meson ninja-build libglib2.0-dev libjson-glib-dev libopenblas-dev libpcre2-dev libxxhash-dev"
  apt_window="libgtk-4-dev libadwaita-1-dev libglib2.0-bin gettext librsvg2-common desktop-file-utils gtk-update-icon-cache"
  apt_test="python3 xvfb xauth dbus at-spi2-core python3-pyatspi xdotool appstream adwaita-icon-theme fonts-dejavu-core locales"
  dnf_core="gcc pkgconf-pkg-config meson ninja-build glib2-devel json-glib-devel openblas-devel pcre2-devel xxhash-devel"
  dnf_window="gtk4-devel libadwaita-devel gettext librsvg2 desktop-file-utils gtk-update-icon-cache"
  dnf_test="python3 xorg-x11-server-Xvfb xorg-x11-xauth dbus-daemon at-spi2-core python3-pyatspi xdotool appstream adwaita-icon-theme dejavu-sans-fonts glibc-locale-source"
  pacman_core="gcc pkgconf meson ninja glib2 glib2-devel json-glib openblas pcre2 xxhash"
  pacman_window="gtk4 libadwaita gettext librsvg desktop-file-utils gtk-update-icon-cache"
  pacman_test="python xorg-server-xvfb xorg-xauth dbus at-spi2-core python-atspi xdotool appstream adwaita-icon-theme ttf-dejavu"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "these packages are missing and this user may not install them: $*"
  fi
}

# Everything that the build looks for is there: then no package manager is asked at all.
tools_present() {
  local tool
  for tool in cc meson ninja pkg-config msgfmt glib-compile-schemas; do
    command -v "$tool" >/dev/null || return 1
  done
  pkg-config --exists gio-2.0 gio-unix-2.0 json-glib-1.0 openblas libpcre2-8 libxxhash 'gtk4 >= 4.8' 'libadwaita-1 >= 1.2'
}

# The same for the tests: a display and a bus of their own, the accessibility tree, and what checks the installed files.
test_tools_present() {
  local tool
  for tool in python3 Xvfb xvfb-run xauth dbus-run-session xdotool desktop-file-validate appstreamcli; do
    command -v "$tool" >/dev/null || return 1
  done
  # The distribution's python has the module; another one may stand before it in PATH.
  [ -d /usr/share/icons/Adwaita ] || return 1
  # localedef's sources: a test makes a locale whose decimal point is a comma.
  [ -d /usr/share/i18n/charmaps ] || return 1
  python3 -c 'import pyatspi' 2>/dev/null || /usr/bin/python3 -c 'import pyatspi' 2>/dev/null
}

# install PACKAGES...: those that are missing, after saying which.
install() {
  local missing=() package
  if command -v apt-get >/dev/null; then
    for package in "$@"; do
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing with apt: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  elif command -v dnf >/dev/null; then
    say "installing with dnf: $*"
    as_root dnf install -y -q "$@"
  elif command -v pacman >/dev/null; then
    say "installing with pacman: $*"
    as_root pacman -S --needed --noconfirm "$@"
  else
    die "no apt, dnf or pacman here; CONTRIBUTING.md lists what Fenestra is built with"
  fi
}

# packages KIND: the list for this machine's package manager (core, window, test).
packages() {
  local manager list
  for manager in apt-get:apt dnf:dnf pacman:pacman; do
    if command -v "${manager%:*}" >/dev/null; then
      list=${manager#*:}_$1
      printf '%s\n' "${!list}"
      return 0
    fi
  done
}

install_missing() {
  tools_present && return 0
  # shellcheck disable=SC2046
  install $(packages core) $(packages window)
  tools_present || die "some of what the build needs is still missing; see the package manager's output above"
}

install_missing_for_tests() {
  install_missing
  test_tools_present && return 0
  # shellcheck disable=SC2046
  install $(packages test)
  test_tools_present || die "some of what the tests need is still missing; see the package manager's output above"
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

build_release() { build build-release --buildtype=release -Dgui=enabled -Dtests=disabled -Dbench=disabled; }

# Where a window can be opened.
has_display() { [ -n "${WAYLAND_DISPLAY-}" ] || [ -n "${DISPLAY-}" ]; }

# The first time with the sample's settings, ready to Start; later with what the person left (the draft is theirs).
open_window() {
  local program=build-release/gui/fenestra
  local draft=${XDG_DATA_HOME:-$HOME/.local/share}/fenestra/draft.json
  say "opening the window: press Start to train a small model on the sample text"
  if [ -e "$draft" ]; then exec "$program"; else exec "$program" --config data/presets/sample.json; fi
}

# Opens the window, or, where there is no display, does the same work in the terminal.
show() {
  if has_display; then open_window; else train_sample; fi
}

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
  build build --buildtype=debugoptimized -Dgui=enabled -Dtests=enabled -Dbench=enabled
  say "running the tests"
  meson test -C build --no-rebuild --print-errorlogs || status=$?
  # One line for machines, counted from Meson's own record of every test program's cases.
  python3 tests/summary.py build/meson-logs/testlog.junit.xml || status=1
  return "$status"
}

main() {
  case "${1-}" in
    "") install_missing; build_release; show ;;
    test) install_missing_for_tests; run_tests ;;
    *) install_missing; build_release; exec build-release/core/cli/fenestra-cli "$@" ;;
  esac
}
main "$@"
