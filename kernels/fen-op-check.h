/* fen-op-check.h: are the parameters of an operation within what fen-backend.h documents?
 *
 * What every back end refuses alike; a back end's `supports` asks this first and then adds its own limits. Pointers in
 * the parameters are not looked at. Back ends also ask before each call: a caller's error is then a message of `check`
 * instead of wrong arithmetic or a write out of bounds.
 *
 * Threads: reentrant.
 */
#pragma once

#include "kernels/fen-backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FEN_MAX_ROTARY 1024

/* False with "BACKEND OPERATION: NAME = VALUE, allowed: RANGE" in `why` (may be NULL). */
bool fen_op_check (const char *backend, FenOp op, const void *params, FenStatus *why);

#ifdef __cplusplus
}
#endif
