#!/bin/sh
# check-install.sh BUILD PREFIX: installs into a folder of its own and uses the program from there: its settings schema,
# translations and guide are found beside it, wherever the prefix was moved to. TAP.
set -u
build=$1 prefix=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
here=$place$prefix
echo 1..4
number=0
check() { # check NAME COMMAND...
  number=$((number + 1)); name=$1; shift
  if "$@" >"$place/output" 2>&1; then echo "ok $number $name"; else sed 's/^/# /' "$place/output"; echo "not ok $number $name"; fi
}
unset GSETTINGS_SCHEMA_DIR FENESTRA_DATA_DIR FENESTRA_LOCALE_DIR
export XDG_DATA_HOME="$place/data" XDG_CONFIG_HOME="$place/config" HOME="$place"

check "meson install" meson install -C "$build" --no-rebuild --quiet --destdir "$place"
# What a packager's trigger does; Meson does it itself without DESTDIR.
glib-compile-schemas --strict "$here/share/glib-2.0/schemas" 2>/dev/null

version() { "$here/bin/fenestra" --version | grep -q '^fenestra [0-9]'; }
check "fenestra --version" version

files() {
  for file in share/applications/*.desktop share/metainfo/*.metainfo.xml share/icons/hicolor/scalable/apps/*.svg \
    share/icons/hicolor/symbolic/apps/*-symbolic.svg share/dbus-1/services/*.service share/fenestra/guide/01-what-fenestra-is.txt; do
    # Unquoted: the pattern is the point.
    # shellcheck disable=SC2086
    [ -e $here/$file ] || { echo "missing: $file"; return 1; }
  done
}
check "desktop entry, metainfo, icons, service, guide" files

# Opens the window for a second: it must be there until it is asked to go, and then go with status 0.
window() {
  G_DEBUG='' G_MESSAGES_DEBUG=fenestra "$here/bin/fenestra" >"$place/window" 2>&1 &
  program=$!
  for _ in $(seq $((100 * ${FENESTRA_TEST_PATIENCE:-1}))); do
    grep -q 'first frame' "$place/window" && break
    sleep 0.1
  done
  sleep 1
  kill -TERM $program || { cat "$place/window"; return 1; }
  wait $program || { echo "status $?"; cat "$place/window"; return 1; }
  grep -q 'first frame' "$place/window" || { cat "$place/window"; return 1; }
}
check "the window opens" window
