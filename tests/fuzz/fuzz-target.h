/* fuzz-target.h: what a fuzz target defines. libFuzzer calls it with millions of mutated inputs; fuzz-replay.c calls
 * it with the files of a folder. It returns 0, aborts (g_assert) on a broken promise, and leaks nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
