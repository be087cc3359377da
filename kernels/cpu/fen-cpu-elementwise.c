/* fen-cpu-elementwise.c: add, fill and cast: one pass over memory each. */
#include "kernels/cpu/fen-cpu-isa.h"

#define GRAIN 16384 /* elements below which a second thread costs more than it gives */

/* ---- y += x ---- */

FV_INLINE void
add_range (FenDType dtype, const FenAdd *p, int64_t begin, int64_t end)
{
  int64_t i = begin;
  for (; i + FEN_VW <= end; i += FEN_VW)
    fv_store (dtype, p->y, i, fv_load (dtype, p->y, i) + fv_load (dtype, p->x, i));
  for (; i < end; i++)
    fs_store (dtype, p->y, i, fs_load (dtype, p->y, i) + fs_load (dtype, p->x, i));
}

static void
add_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenAdd *p = data;
#define CALL(type) add_range (type, p, begin, end)
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_add) (FenDevice *device, const FenAdd *p)
{
  fen_cpu_for (device, p->n, GRAIN, add_body, (void *)p);
}

/* ---- fill ---- */

typedef struct {
  void *x;
  int size;
  _Alignas(
      64) unsigned char pattern[64]; /* the element, repeated: 64 is a multiple of every element's size */
} Fill;

static void
fill_body (void *data, int64_t begin, int64_t end, int worker)
{
  const Fill *job = data;
  char *first = (char *)job->x + begin * job->size;
  const int64_t bytes = (end - begin) * job->size;
  int64_t i = 0;
  for (; i + 64 <= bytes; i += 64)
    memcpy (first + i, job->pattern, 64);
  memcpy (first + i, job->pattern, (size_t)(bytes - i));
}

void
FEN_ISA (fen_cpu_fill) (FenDevice *device, const FenFill *p)
{
  Fill job = { .x = p->x, .size = (int)fen_dtype_size (p->dtype) };
  for (int i = 0; i < 64 / job.size; i++)
    {
      if (p->dtype == FEN_F64)
        ((double *)(void *)job.pattern)[i] = p->value;
      else if (p->dtype == FEN_I32)
        ((int32_t *)(void *)job.pattern)[i] = (int32_t)p->value;
      else if (p->dtype == FEN_U8)
        job.pattern[i] = (uint8_t)p->value;
      else
        fs_store (p->dtype, job.pattern, i, (float)p->value);
    }
  fen_cpu_for (device, p->n, GRAIN, fill_body, &job);
}

/* ---- cast ---- */

FV_INLINE void
cast_range (FenDType from, FenDType to, const FenCast *p, int64_t begin, int64_t end)
{
  int64_t i = begin;
  for (; i + FEN_VW <= end; i += FEN_VW)
    fv_store (to, p->dst, i, fv_load (from, p->src, i));
  for (; i < end; i++)
    fs_store (to, p->dst, i, fs_load (from, p->src, i));
}

FV_INLINE void
cast_from (FenDType from, const FenCast *p, int64_t begin, int64_t end)
{
#define CALL(to) cast_range (from, to, p, begin, end)
  FEN_CPU_BY_DTYPE (p->dst_dtype, CALL);
#undef CALL
}

static void
cast_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenCast *p = data;
  if (p->src_dtype == p->dst_dtype) /* bits, not values: a signalling NaN stays as it is */
    {
      const int64_t size = (int64_t)fen_dtype_size (p->src_dtype);
      memcpy ((char *)p->dst + begin * size, (const char *)p->src + begin * size,
              (size_t)((end - begin) * size));
      return;
    }
#define CALL(type) cast_from (type, p, begin, end)
  FEN_CPU_BY_DTYPE (p->src_dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_cast) (FenDevice *device, const FenCast *p)
{
  fen_cpu_for (device, p->n, GRAIN, cast_body, (void *)p);
}
