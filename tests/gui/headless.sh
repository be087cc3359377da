#!/bin/sh
# Runs a program with a display and a session bus of its own: widget tests, journeys, screenshots. What stands in
# FENESTRA_TEST_WRAPPER (valgrind) wraps the program alone.
exec dbus-run-session -- xvfb-run -a -s "-screen 0 1600x1200x24 -nolisten tcp" $FENESTRA_TEST_WRAPPER "$@"
