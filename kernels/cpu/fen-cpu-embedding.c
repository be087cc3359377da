/* fen-cpu-embedding.c: rows of tables, looked up and summed; and their gradient.
 *
 * Backward: several rows may meet in one table row, so threads share the width instead: each owns a strip of columns
 * of all table rows and walks the rows in order. No races, no atomics, and the same order of additions always.
 */
#include "kernels/cpu/fen-cpu-isa.h"

FV_INLINE void
forward_rows (FenDType dtype, const FenEmbeddingForward *p, int64_t begin, int64_t end)
{
  const size_t size = fen_dtype_size (dtype);
  for (int64_t r = begin; r < end; r++)
    {
      const int64_t from = p->tokens[r] * p->width, to = r * p->width;
      if (p->position_table == NULL)
        {
          memcpy ((char *)p->out + to * (int64_t)size, (const char *)p->token_table + from * (int64_t)size,
                  (size_t)p->width * size);
          continue;
        }
      const int64_t at = p->positions[r] * p->width;
      int64_t i = 0;
      for (; i + FEN_VW <= p->width; i += FEN_VW)
        fv_store (dtype, p->out, to + i,
                  fv_load (dtype, p->token_table, from + i) + fv_load (dtype, p->position_table, at + i));
      for (; i < p->width; i++)
        fs_store (dtype, p->out, to + i,
                  fs_load (dtype, p->token_table, from + i) + fs_load (dtype, p->position_table, at + i));
    }
}

static void
forward_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenEmbeddingForward *p = data;
#define CALL(type) forward_rows (type, p, begin, end)
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_embedding_forward) (FenDevice *device, const FenEmbeddingForward *p)
{
  fen_cpu_for (device, p->rows, 1 + 8192 / p->width, forward_body, (void *)p);
}

/* table[ids[r]][begin .. end-1] += d_out[r][begin .. end-1] for all rows in order. */
FV_INLINE void
backward_strip (FenDType dtype, const FenEmbeddingBackward *p, const int32_t *ids, float *table,
                int64_t begin, int64_t end)
{
  for (int64_t r = 0; r < p->rows; r++)
    {
      float *to = table + ids[r] * p->width;
      const int64_t from = r * p->width;
      int64_t i = begin;
      for (; i + FEN_VW <= end; i += FEN_VW)
        fv_store (FEN_F32, to, i, fv_load (FEN_F32, to, i) + fv_load (dtype, p->d_out, from + i));
      for (; i < end; i++)
        to[i] += fs_load (dtype, p->d_out, from + i);
    }
}

static void
backward_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenEmbeddingBackward *p = data;
#define CALL(type) backward_strip (type, p, p->tokens, p->d_token_table, begin, end)
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
  if (p->d_position_table == NULL)
    return;
#define CALL(type) backward_strip (type, p, p->positions, p->d_position_table, begin, end)
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_embedding_backward) (FenDevice *device, const FenEmbeddingBackward *p)
{
  fen_cpu_for (device, p->width, 32, backward_body, (void *)p);
}
