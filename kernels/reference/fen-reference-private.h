/* fen-reference-private.h: reading and writing of storage types for the reference back end, and its operations.
 *
 * With F64 storage, gradients and statistics keep their documented types (fp32, or double in FenStepStats).
 */
#pragma once

#include "kernels/reference/fen-reference.h"

double fen_reference_get (FenDType dtype, const void *base, int64_t i);
/* Rounds to nearest even, in one rounding from double. */
void fen_reference_set (FenDType dtype, void *base, int64_t i, double value);

/* The dynamic maps of 8-bit states (Dettmers et al. 2021), rising. */
void fen_reference_map (bool is_signed, float values[256]);

/* fen-reference-layers.c */
void fen_reference_gemm (const FenGemm *p);
void fen_reference_embedding_forward (const FenEmbeddingForward *p);
void fen_reference_embedding_backward (const FenEmbeddingBackward *p);
void fen_reference_norm_forward (const FenNormForward *p);
void fen_reference_norm_backward (const FenNormBackward *p);
void fen_reference_rope (const FenRope *p);
void fen_reference_activation_forward (const FenActivation *p);
void fen_reference_activation_backward (const FenActivation *p);
void fen_reference_bias_gradient (const FenBiasGradient *p);

/* fen-reference-step.c */
void fen_reference_cross_entropy (const FenCrossEntropy *p);
void fen_reference_add (const FenAdd *p);
void fen_reference_fill (const FenFill *p);
void fen_reference_cast (const FenCast *p);
void fen_reference_sum (const FenSum *p);
void fen_reference_sum_squares (const FenSum *p);
void fen_reference_clip (const FenClip *p);
void fen_reference_adamw (const FenAdamW *p);
void fen_reference_adamw8 (const FenAdamW8 *p);

/* Attention (fen-reference-attention*.c). */
void fen_reference_attention_forward (const FenAttention *p);
void fen_reference_attention_backward (const FenAttentionBackward *p);
