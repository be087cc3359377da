/* patience.h: how much longer than on a usual build a test waits for something: a sanitizer or valgrind makes everything
 * many times slower (tests/meson.build sets it). Only what a test waits for, never what it measures. */
#pragma once

#include <glib.h>

static inline gint64
test_patience (void)
{
  const char *text = g_getenv ("FENESTRA_TEST_PATIENCE");
  return text != NULL ? MAX (g_ascii_strtoll (text, NULL, 10), 1) : 1;
}
