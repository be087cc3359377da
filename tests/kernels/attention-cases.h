/* attention-cases.h: the shapes and masks that every back end's attention is asked. */
#pragma once

#include "tests/kernels/attention-fixture.h"

#define SQUARE(n) 1, n, n, 0, 0

/* Tiles are 128 (or 64) columns, 64 rows, blocks of 8, 16 or 32: sizes around them. */
static const Case attention_cases[] = {
  { "one", SQUARE (1), 1, 1, 64, 0, 0 },
  { "one query", 2, 1, 77, 76, 0, 2, 1, 64, 0, 0 },
  { "one key", 1, 5, 1, 3, 3, 1, 1, 16, 0, 0 },
  { "no visible key", 1, 40, 30, 100, 0, 2, 2, 32, 16, 0 },
  { "keys of the future", 1, 20, 90, 10, 5, 1, 1, 16, 0, 0 },
  { "odd", 2, 131, 131, 0, 0, 3, 3, 17, 0, 0 },
  { "tile - 1", SQUARE (63), 1, 1, 64, 0, 0 },
  { "tile", SQUARE (64), 1, 1, 64, 0, 0 },
  { "tile + 1", SQUARE (65), 1, 1, 64, 0, 0 },
  { "columns + 1", SQUARE (129), 1, 1, 64, 0, 0 },
  { "window 1", SQUARE (140), 2, 2, 32, 1, 0 },
  { "window 2", SQUARE (140), 2, 2, 32, 2, 0 },
  { "window 31", SQUARE (140), 2, 1, 32, 31, 0 },
  { "window 63", SQUARE (200), 1, 1, 64, 63, 0 },
  { "window 64", SQUARE (200), 1, 1, 64, 64, 0 },
  { "window 65", SQUARE (200), 1, 1, 64, 65, 0 },
  { "window 127", SQUARE (300), 1, 1, 32, 127, 0 },
  { "window 128", SQUARE (300), 1, 1, 32, 128, 0 },
  { "window 129", SQUARE (300), 1, 1, 32, 129, 0 },
  { "window > row", SQUARE (90), 1, 1, 32, 4096, 0 },
  { "chunk far out", 1, 70, 200, 5000, 4870, 2, 2, 64, 100, 0 },
  { "chunk without its window", 1, 70, 70, 5000, 5000, 2, 1, 64, 100, 3 },
  { "sinks", SQUARE (260), 2, 2, 32, 33, 4 },
  { "sinks past the window", SQUARE (260), 2, 1, 32, 20, 70 },
  { "sinks of short documents", 2, 200, 200, 0, 0, 2, 2, 32, 3, 2, DOCS_SHORT },
  { "sinks of documents", 2, 300, 300, 0, 0, 2, 1, 32, 17, 5, DOCS_LONG },
  { "sinks, rectangle", 1, 50, 220, 170, 0, 2, 1, 32, 17, 5, DOCS_LONG },
  { "documents of one token", 2, 100, 100, 0, 0, 1, 1, 32, 0, 0, DOCS_ONE_TOKEN },
  { "short documents", 2, 200, 200, 0, 0, 1, 1, 32, 0, 0, DOCS_SHORT },
  { "documents", 2, 300, 300, 0, 0, 2, 2, 64, 0, 0, DOCS_LONG },
  { "documents and window", 1, 300, 300, 0, 0, 2, 2, 64, 50, 0, DOCS_LONG },
  { "group 2", SQUARE (150), 4, 2, 64, 40, 0, DOCS_NONE, LAYOUT_PACKED },
  { "group 3", SQUARE (150), 6, 2, 32, 40, 2, DOCS_LONG, LAYOUT_PACKED },
  { "group 16", 1, 60, 90, 30, 0, 16, 1, 32, 25, 1, DOCS_LONG, LAYOUT_HEADS },
  { "group 130", SQUARE (9), 130, 1, 16, 0, 0 },
  { "packed", 2, 100, 100, 0, 0, 3, 3, 64, 0, 0, DOCS_NONE, LAYOUT_PACKED },
  { "heads first", 2, 100, 100, 0, 0, 3, 1, 64, 30, 0, DOCS_NONE, LAYOUT_HEADS },
  { "d 1", SQUARE (70), 2, 1, 1, 0, 0 },
  { "d 16", SQUARE (70), 2, 1, 16, 0, 0 },
  { "d 80", SQUARE (70), 2, 1, 80, 0, 0 },
  { "d 96", SQUARE (70), 2, 1, 96, 33, 0 },
  { "d 128", SQUARE (140), 2, 1, 128, 0, 0 },
  { "d 256", SQUARE (140), 2, 1, 256, 70, 3 },
  { "soft cap", SQUARE (140), 2, 1, 64, 60, 2, DOCS_LONG, LAYOUT_TOKENS, 1.5f },
  { "large soft cap", SQUARE (70), 2, 1, 64, 0, 0, DOCS_NONE, LAYOUT_TOKENS, 50 },
  { "learned sink", SQUARE (140), 4, 2, 64, 60, 2, DOCS_LONG, LAYOUT_TOKENS, 0, TRUE },
  { "learned sink, nothing visible", 1, 10, 10, 50, 0, 2, 2, 16, 4, 0, DOCS_NONE, LAYOUT_TOKENS, 0, TRUE },
  { "all", 2, 130, 170, 40, 0, 6, 2, 48, 37, 3, DOCS_LONG, LAYOUT_HEADS, 5, TRUE, TRUE, TRUE },
  { "accumulate", SQUARE (140), 2, 2, 64, 30, 0, DOCS_NONE, LAYOUT_TOKENS, 0, FALSE, TRUE },
  { "stored dK, dV", SQUARE (140), 2, 1, 64, 30, 0, DOCS_NONE, LAYOUT_TOKENS, 0, FALSE, FALSE, TRUE, TRUE },
};

static inline Case
random_case (void)
{
  static const int dims[] = { 8, 16, 24, 32, 64, 72 };
  const int kv_heads = g_test_rand_int_range (1, 3);
  Case c = { .name = "random",
             .batch = g_test_rand_int_range (1, 3),
             .nq = g_test_rand_int_range (1, 150),
             .nk = g_test_rand_int_range (1, 200),
             .k0 = g_test_rand_int_range (0, 40),
             .heads = kv_heads * g_test_rand_int_range (1, 5),
             .kv_heads = kv_heads,
             .head_dim = dims[g_test_rand_int_range (0, G_N_ELEMENTS (dims))],
             .window = g_test_rand_int_range (0, 2) ? g_test_rand_int_range (1, 120) : 0,
             .sinks = g_test_rand_int_range (0, 2) ? g_test_rand_int_range (1, 40) : 0,
             .docs = g_test_rand_int_range (DOCS_NONE, DOCS_LONG + 1),
             .layout = g_test_rand_int_range (LAYOUT_TOKENS, LAYOUT_ALIGNED + 1),
             .softcap = g_test_rand_int_range (0, 4) ? 0 : 3,
             .learned_sink = g_test_rand_int_range (0, 3) == 0,
             .accumulate = g_test_rand_int_range (0, 2) };

  c.q0 = g_test_rand_int_range (0, 2) ? c.k0 + MAX (0, c.nk - c.nq) : g_test_rand_int_range (0, 100);
  return c;
}
