#!/bin/sh
# Runs a test under valgrind (meson test --setup valgrind). A test of the window starts by headless.sh, which makes a
# display: valgrind is for the program in it.
here=$(dirname "$(readlink -f "$0")")
valgrind="valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite
  --num-callers=40 --error-exitcode=9 --suppressions=$here/valgrind.supp"
for file in /usr/share/glib-2.0/valgrind/glib.supp /usr/share/gtk-4.0/valgrind/gtk.supp; do
  if [ -e "$file" ]; then valgrind="$valgrind --suppressions=$file"; fi
done
case $1 in
  */headless.sh) FENESTRA_TEST_WRAPPER=$valgrind exec "$@" ;;
  *) exec $valgrind "$@" ;;
esac
