/* fen-cpu-adamw.c: the optimizer's update, with fp32 states and with 8-bit block-wise states.
 *
 * 8-bit states (Dettmers et al. 2021): 256 values share one fp32 absmax; a byte is an index into the dynamic map of
 * fen-dynamic-map.h, and the state is map[byte] * absmax. A block's states are widened into fp32 on the stack, updated
 * exactly as the fp32 optimizer would, and coded again with their new absmax. The parameter's update uses the states
 * before they are coded.
 */
#include "kernels/cpu/fen-cpu-isa.h"
#include "kernels/fen-dynamic-map.h"

#define GRAIN 8192

/* The update's constants, the same in both optimizers. */
typedef struct {
  float scale;                      /* of gradients */
  float decay;                      /* 1 - lr * weight_decay */
  float beta1, beta2, rest1, rest2; /* rest = 1 - beta */
  float step;                       /* lr / bias1 */
  float root;                       /* 1 / sqrt (bias2) */
  float epsilon;
} Constants;

#define CONSTANTS(p)                                                                                         \
  {                                                                                                          \
    .scale = (p)->stats->gradient_scale, .decay = (float)(1.0 - (double)(p)->lr * (p)->weight_decay),        \
    .beta1 = (p)->beta1, .beta2 = (p)->beta2, .rest1 = (float)(1.0 - (double)(p)->beta1),                    \
    .rest2 = (float)(1.0 - (double)(p)->beta2), .step = (float)((double)(p)->lr / (p)->bias1),               \
    .root = (float)(1.0 / sqrt ((p)->bias2)), .epsilon = (p)->epsilon,                                       \
  }

FV_INLINE void
update (const Constants *c, FenVec g, FenVec *m, FenVec *v, FenVec *w)
{
  g *= c->scale;
  *m = fv_fma (fv_set (c->rest1), g, c->beta1 * *m);
  *v = fv_fma (c->rest2 * g, g, c->beta2 * *v);
  const FenVec denominator = fv_fma (fv_sqrt (*v), fv_set (c->root), fv_set (c->epsilon));
  *w = *w * c->decay - c->step * *m / denominator;
}

/* ---- fp32 states ---- */

typedef struct {
  const FenAdamW *p;
  Constants constants;
} AdamW;

FV_INLINE void
adamw_range (FenDType dtype, const AdamW *job, int64_t begin, int64_t end)
{
  const FenAdamW *p = job->p;
  float *master = p->master != NULL ? p->master : p->param;
  for (int64_t i = begin; i < end; i += FEN_VW)
    {
      const int64_t n = fen_cpu_min (FEN_VW, end - i);
      FenVec g, m, v, w;
      if (n == FEN_VW)
        {
          g = fv_load (FEN_F32, p->gradient, i), w = fv_load (FEN_F32, master, i);
          m = fv_load (FEN_F32, p->m, i), v = fv_load (FEN_F32, p->v, i);
          update (&job->constants, g, &m, &v, &w);
          fv_store (FEN_F32, p->m, i, m);
          fv_store (FEN_F32, p->v, i, v);
          fv_store (FEN_F32, master, i, w);
          if (p->master != NULL)
            fv_store (dtype, p->param, i, w);
          continue;
        }
      g = fv_load_n (FEN_F32, p->gradient, i, n, 0), w = fv_load_n (FEN_F32, master, i, n, 0);
      m = fv_load_n (FEN_F32, p->m, i, n, 0), v = fv_load_n (FEN_F32, p->v, i, n, 0);
      update (&job->constants, g, &m, &v, &w);
      fv_store_n (FEN_F32, p->m, i, n, m);
      fv_store_n (FEN_F32, p->v, i, n, v);
      fv_store_n (FEN_F32, master, i, n, w);
      if (p->master != NULL)
        fv_store_n (dtype, p->param, i, n, w);
    }
}

static void
adamw_body (void *data, int64_t begin, int64_t end, int worker)
{
  const AdamW *job = data;
#define CALL(type) adamw_range (type, job, begin, end)
  FEN_CPU_BY_DTYPE (job->p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_adamw) (FenDevice *device, const FenAdamW *p)
{
  AdamW job = { p, CONSTANTS (p) };
  if (!p->stats->skip)
    fen_cpu_for (device, p->n, GRAIN, adamw_body, &job);
}

/* ---- 8-bit states ---- */

typedef struct {
  const FenAdamW8 *p;
  const FenDynamicMap *maps; /* signed, unsigned */
  Constants constants;
} AdamW8;

/* One block's operands: FEN_ADAMW8_BLOCK elements each. */
typedef struct {
  const float *g;
  float *w;
  void *param; /* NULL: w itself */
  uint8_t *m, *v;
  float *m_absmax, *v_absmax;
} Block;

/* Codes new states and stores their absmax: the sums of fen-dynamic-map.h in vectors. */
FV_INLINE void
encode (const FenDynamicMap *map, const float *states, FenVec highest, uint8_t *codes, float *absmax)
{
  uint16_t buckets[FEN_ADAMW8_BLOCK];
  int32_t lows[FEN_ADAMW8_BLOCK], found[FEN_ADAMW8_BLOCK];

  *absmax = fv_max_lane (highest);
  const FenVec divisor = fv_set (*absmax > 0 ? *absmax : 1);
  for (int i = 0; i < FEN_ADAMW8_BLOCK; i += FEN_VW)
    {
      const FenVecI bits = fv_bits (fv_load (FEN_F32, states, i) / divisor), sign = bits >> 31;
      const FenVecI low = ((bits & 0xffff) ^ sign) - sign;
      FenVecI bucket = (bits >> 16 & 0x7fff) - FEN_DYNAMIC_MAP_FIRST;
      bucket &= ~(bucket >> 31);
      const FenVecI over = bucket > FEN_DYNAMIC_MAP_BUCKETS - 1;
      bucket = ((over & (FEN_DYNAMIC_MAP_BUCKETS - 1)) | (~over & bucket)) + (sign & FEN_DYNAMIC_MAP_BUCKETS);
      const FenVecH narrow = __builtin_convertvector(bucket, FenVecH);
      memcpy (buckets + i, &narrow, sizeof narrow);
      memcpy (lows + i, &low, sizeof low);
    }
  fv_table_u16 (map->buckets, buckets, FEN_ADAMW8_BLOCK, found);
  for (int i = 0; i < FEN_ADAMW8_BLOCK; i += FEN_VW)
    {
      FenVecI entry, low;
      memcpy (&entry, found + i, sizeof entry);
      memcpy (&low, lows + i, sizeof low);
      fv_store_u8 (codes + i, (entry + low) >> 16);
    }
}

FV_INLINE void
adamw8_update (FenDType dtype, const AdamW8 *job, const Block *b)
{
  const FenDynamicMap *map = job->maps;
  const FenVec m_scale = fv_set (*b->m_absmax), v_scale = fv_set (*b->v_absmax);
  FenVec m_highest = fv_set (0), v_highest = fv_set (0);
  float new_m[FEN_ADAMW8_BLOCK], new_v[FEN_ADAMW8_BLOCK];

  fv_table_u8 (map[0].values, b->m, FEN_ADAMW8_BLOCK, new_m);
  fv_table_u8 (map[1].values, b->v, FEN_ADAMW8_BLOCK, new_v);
  for (int i = 0; i < FEN_ADAMW8_BLOCK; i += FEN_VW)
    {
      FenVec m = fv_load (FEN_F32, new_m, i) * m_scale, v = fv_load (FEN_F32, new_v, i) * v_scale;
      FenVec w = fv_load (FEN_F32, b->w, i);
      update (&job->constants, fv_load (FEN_F32, b->g, i), &m, &v, &w);
      m_highest = fv_max (fv_abs (m), m_highest);
      v_highest = fv_max (v, v_highest);
      fv_store (FEN_F32, new_m, i, m);
      fv_store (FEN_F32, new_v, i, v);
      fv_store (FEN_F32, b->w, i, w);
      if (b->param != NULL)
        fv_store (dtype, b->param, i, w);
    }
  encode (&map[0], new_m, m_highest, b->m, b->m_absmax);
  encode (&map[1], new_v, v_highest, b->v, b->v_absmax);
}

/* The last block goes through copies, with elements beyond the end that are 0 and stay 0. */
FV_INLINE void
adamw8_last (FenDType dtype, const AdamW8 *job, const Block *b, size_t n)
{
  float g[FEN_ADAMW8_BLOCK] = { 0 }, w[FEN_ADAMW8_BLOCK] = { 0 }, param[FEN_ADAMW8_BLOCK];
  uint8_t m[FEN_ADAMW8_BLOCK], v[FEN_ADAMW8_BLOCK];
  const Block copy = { g, w, b->param != NULL ? param : NULL, m, v, b->m_absmax, b->v_absmax };

  memset (m, job->maps[0].zero, sizeof m);
  memset (v, job->maps[1].zero, sizeof v);
  memcpy (m, b->m, n);
  memcpy (v, b->v, n);
  memcpy (g, b->g, n * sizeof *g);
  memcpy (w, b->w, n * sizeof *w);
  adamw8_update (dtype, job, &copy);
  memcpy (b->m, m, n);
  memcpy (b->v, v, n);
  memcpy (b->w, w, n * sizeof *w);
  if (b->param != NULL)
    memcpy (b->param, param, n * fen_dtype_size (dtype));
}

FV_INLINE void
adamw8_range (FenDType dtype, const AdamW8 *job, int64_t begin, int64_t end)
{
  const FenAdamW8 *p = job->p;
  for (int64_t block = begin; block < end; block++)
    {
      const int64_t first = block * FEN_ADAMW8_BLOCK, n = fen_cpu_min (FEN_ADAMW8_BLOCK, p->n - first);
      void *param = (char *)p->param + first * (int64_t)fen_dtype_size (dtype);
      const Block b = { p->gradient + first,
                        p->master != NULL ? p->master + first : param,
                        p->master != NULL ? param : NULL,
                        p->m + first,
                        p->v + first,
                        p->m_absmax + block,
                        p->v_absmax + block };
      if (n == FEN_ADAMW8_BLOCK)
        adamw8_update (dtype, job, &b);
      else
        adamw8_last (dtype, job, &b, (size_t)n);
    }
}

static void
adamw8_body (void *data, int64_t begin, int64_t end, int worker)
{
  const AdamW8 *job = data;
#define CALL(type) adamw8_range (type, job, begin, end)
  FEN_CPU_BY_DTYPE (job->p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_adamw8) (FenDevice *device, const FenAdamW8 *p)
{
  AdamW8 job = { p, device->maps, CONSTANTS (p) };
  if (!p->stats->skip)
    fen_cpu_for (device, fen_cpu_ceil_div (p->n, FEN_ADAMW8_BLOCK), 32, adamw8_body, &job);
}
