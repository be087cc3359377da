/* fen-cuda-embedding.cu: rows of tables, looked up and summed. The gradient's sums: fen-cuda-embedding-backward.cu.
 */
#include "kernels/cuda/fen-cuda-vector.h"

template <typename T> struct LookupOp {
  const int32_t *tokens, *positions;
  const T *token_table, *position_table;
  T *out;
  int64_t width;
  FenDivisor packs; /* in a row: rows are whole packs, or packs are single elements */
  template <int N> struct Loaded {
    FenPack<T, N> token, position;
  };
  template <int N>
  __device__ __forceinline__ Loaded<N>
  load (int64_t i) const
  {
    Loaded<N> in;
    uint32_t column;
    const int64_t row = packs.divide (i / N, &column);
    in.token.load (token_table + tokens[row] * width + (int64_t)column * N);
    if (position_table != NULL)
      in.position.load (position_table + positions[row] * width + (int64_t)column * N);
    return in;
  }
  template <int N>
  __device__ __forceinline__ void
  store (int64_t i, const Loaded<N> &in) const
  {
    if (position_table == NULL) /* bits, not values */
      return in.token.store (out + i);
    float a[N], b[N];
    FenPack<T, N> sum;
    in.token.get (a);
    in.position.get (b);
#pragma unroll
    for (int j = 0; j < N; j++)
      a[j] += b[j];
    sum.set (a);
    sum.store (out + i);
  }
};

void
fen_cuda_embedding_forward (FenDevice *device, FenStream *stream, const FenEmbeddingForward *p)
{
  const FenCudaCall call (device, stream, FEN_OP_EMBEDDING_FORWARD, p);
  if (!call.ready || p->rows == 0)
    return;
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    constexpr int N = 16 / sizeof (T);
    const bool packs = p->width % N == 0 && fen_aligned (p->token_table) && fen_aligned (p->position_table)
                       && fen_aligned (p->out);
    const LookupOp<T> op = { p->tokens,
                             p->positions,
                             (const T *)p->token_table,
                             (const T *)p->position_table,
                             (T *)p->out,
                             p->width,
                             FenDivisor (packs ? p->width / N : p->width) };
    if (packs)
      fen_flat<N, 2> (call, "embedding_forward", p->rows * p->width, op);
    else
      fen_flat<1, 4> (call, "embedding_forward", p->rows * p->width, op);
  });
}
