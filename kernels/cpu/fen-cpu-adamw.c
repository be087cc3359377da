/* fen-cpu-adamw.c: the optimizer's update, with fp32 states and with 8-bit block-wise states.
 *
 * 8-bit states (Dettmers et al. 2021): 256 values share one fp32 absmax; a byte is an index into the dynamic map of
 * fen-cpu-map.h, and the state is map[byte] * absmax. A block is widened into fp32 on the stack, updated exactly as
 * the fp32 optimizer would, and coded again with its new absmax. The parameter's update uses the states before they
 * are coded.
 */
#include "kernels/cpu/fen-cpu-isa.h"
#include "kernels/cpu/fen-cpu-map.h"

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
  const FenCpuMap *maps; /* signed, unsigned */
  Constants constants;
} AdamW8;

/* A block in fp32; elements beyond the tensor's end are 0, which stays 0. */
typedef struct {
  float g[FEN_ADAMW8_BLOCK], m[FEN_ADAMW8_BLOCK], v[FEN_ADAMW8_BLOCK], w[FEN_ADAMW8_BLOCK];
} Block;

static void
decode (const FenCpuMap *map, const uint8_t *codes, float absmax, int64_t n, float *values)
{
  for (int64_t i = 0; i < n; i++)
    values[i] = map->values[codes[i]] * absmax;
}

static float
encode (const FenCpuMap *map, const float *values, int64_t n, uint8_t *codes)
{
  FenVec highest = fv_set (0);
  for (int i = 0; i < FEN_ADAMW8_BLOCK; i += FEN_VW)
    highest = fv_max (fv_abs (fv_load (FEN_F32, values, i)), highest);
  const float absmax = fv_max_lane (highest);
  for (int64_t i = 0; i < n; i++)
    codes[i] = fen_cpu_map_code (map, absmax > 0 ? values[i] / absmax : 0);
  return absmax;
}

static void
adamw8_block (const AdamW8 *job, int64_t block)
{
  const FenAdamW8 *p = job->p;
  const int64_t first = block * FEN_ADAMW8_BLOCK, n = fen_cpu_min (FEN_ADAMW8_BLOCK, p->n - first);
  float *master = (p->master != NULL ? p->master : (float *)p->param) + first;
  Block b;
  if (n < FEN_ADAMW8_BLOCK)
    memset (&b, 0, sizeof b);
  memcpy (b.g, p->gradient + first, (size_t)n * sizeof (float));
  memcpy (b.w, master, (size_t)n * sizeof (float));
  decode (&job->maps[0], p->m + first, p->m_absmax[block], n, b.m);
  decode (&job->maps[1], p->v + first, p->v_absmax[block], n, b.v);
  for (int i = 0; i < FEN_ADAMW8_BLOCK; i += FEN_VW)
    {
      FenVec m = fv_load (FEN_F32, b.m, i), v = fv_load (FEN_F32, b.v, i), w = fv_load (FEN_F32, b.w, i);
      update (&job->constants, fv_load (FEN_F32, b.g, i), &m, &v, &w);
      fv_store (FEN_F32, b.m, i, m);
      fv_store (FEN_F32, b.v, i, v);
      fv_store (FEN_F32, b.w, i, w);
    }
  p->m_absmax[block] = encode (&job->maps[0], b.m, n, p->m + first);
  p->v_absmax[block] = encode (&job->maps[1], b.v, n, p->v + first);
  memcpy (master, b.w, (size_t)n * sizeof (float));
  if (p->master != NULL)
    FEN_ISA (fen_cpu_from_f32)
  (p->dtype, b.w, n, (char *)p->param + first * (int64_t)fen_dtype_size (p->dtype), n, 1, n);
}

static void
adamw8_body (void *data, int64_t begin, int64_t end, int worker)
{
  for (int64_t block = begin; block < end; block++)
    adamw8_block (data, block);
}

void
FEN_ISA (fen_cpu_adamw8) (FenDevice *device, const FenAdamW8 *p)
{
  AdamW8 job = { p, device->maps, CONSTANTS (p) };
  if (!p->stats->skip)
    fen_cpu_for (device, fen_cpu_ceil_div (p->n, FEN_ADAMW8_BLOCK), 32, adamw8_body, &job);
}
