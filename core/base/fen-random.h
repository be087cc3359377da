/* fen-random.h: counter-based random numbers, the same on every machine and back end.
 *
 * Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A value is
 * a pure function of (seed, stream, counter), so a run's whole random state is three integers in state.json, and
 * any thread may draw any part of a sequence.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint64 seed;    /* the run's seed */
  guint64 stream;  /* which use: shuffling, initialisation of parameter i, sampling, ... (FenRandomStream) */
  guint64 counter; /* 32-bit words drawn so far */
} FenRandom;

typedef enum {
  FEN_RANDOM_STREAM_SPLIT = 1,   /* train/eval split */
  FEN_RANDOM_STREAM_SHUFFLE = 2, /* order of rows; + epoch << 8 */
  FEN_RANDOM_STREAM_SAMPLE = 3,  /* text generation */
  FEN_RANDOM_STREAM_DROPOUT = 4,
  FEN_RANDOM_STREAM_INIT = 256, /* + index of the parameter */
} FenRandomStream;

void fen_random_init (FenRandom *random, guint64 seed, guint64 stream);
guint32 fen_random_u32 (FenRandom *random);
guint64 fen_random_u64 (FenRandom *random);
/* Uniform in [0, bound) without modulo bias; bound > 0. */
guint64 fen_random_below (FenRandom *random, guint64 bound);
double fen_random_uniform (FenRandom *random); /* [0, 1), 53 bits */
double fen_random_normal (FenRandom *random);  /* Box-Muller; draws two uniforms, keeps no spare */
/* Four words at a counter, for code that draws in parallel. */
void fen_philox4x32 (guint64 seed, guint64 stream, guint64 block, guint32 out[4]);

G_END_DECLS
