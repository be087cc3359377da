#!/bin/sh
# Runs a program with a display and a session bus of its own: widget tests, journeys, screenshots.
exec dbus-run-session -- xvfb-run -a -s "-screen 0 1600x1200x24 -nolisten tcp" "$@"
