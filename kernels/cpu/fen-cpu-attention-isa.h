/* fen-cpu-attention-isa.h: what the attention files that are compiled once an instruction set give each other. */
#pragma once

#include "kernels/cpu/fen-cpu-attention-private.h"
#include "kernels/cpu/fen-cpu-simd.h"

void FEN_ISA (fen_cpu_attention_forward_tile) (const FenAttention *a, int64_t item, float *scratch);
void FEN_ISA (fen_cpu_attention_stats_rows) (const FenAttentionBackward *g, const FenAttentionStats *stats,
                                             int64_t b, int64_t kv_head, int64_t begin, int64_t end);
void FEN_ISA (fen_cpu_attention_query_tile) (const FenAttentionBackward *g, const FenAttentionStats *stats,
                                             int64_t item, float *scratch);
void FEN_ISA (fen_cpu_attention_key_tile) (const FenAttentionBackward *g, const FenAttentionStats *stats,
                                           int64_t item, float *scratch);
float FEN_ISA (fen_cpu_attention_softmax_row) (const FenAttentionRow *row, float *s);
void FEN_ISA (fen_cpu_attention_gradient_row) (const FenAttentionRow *row, float lse2, float delta, float *s,
                                               float *dp);
