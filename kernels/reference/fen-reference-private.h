/* fen-reference-private.h: reading and writing of storage types for the reference back end.
 *
 * With F64 storage, gradients and statistics keep their documented types (fp32, or double in FenStepStats).
 */
#pragma once

#include "kernels/reference/fen-reference.h"

double fen_reference_get (FenDType dtype, const void *base, int64_t i);
/* Rounds to nearest even, in one rounding from double. */
void fen_reference_set (FenDType dtype, void *base, int64_t i, double value);

/* Attention (fen-reference-attention*.c). */
void fen_reference_attention_forward (const FenAttention *p);
void fen_reference_attention_backward (const FenAttentionBackward *p);
