#!/bin/sh
# journey.sh HEADLESS PROGRAM...: only the journey writes to the standard output (TAP); what buses and registries that are
# started on the way say goes to the standard error.
headless=$1
shift
exec 9>&1 1>&2
exec "$headless" sh -c 'exec "$@" >&9 9>&-' journey "$@"
