/* fen-random.c: Philox 4x32-10 and what is drawn from it.
 *
 * The counter's four words are (block, stream) and the key's two are the seed, low word first, so the published
 * known-answer vectors apply as they are. A draw of n words computes each block it touches once.
 */
#include "core/base/fen-random.h"

#include <math.h>

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u /* golden ratio */
#define PHILOX_W1 0xBB67AE85u /* sqrt(3) - 1 */
#define PHILOX_ROUNDS 10

void
fen_philox4x32 (guint64 seed, guint64 stream, guint64 block, guint32 out[4])
{
  guint32 c0 = (guint32)block, c1 = (guint32)(block >> 32);
  guint32 c2 = (guint32)stream, c3 = (guint32)(stream >> 32);
  guint32 k0 = (guint32)seed, k1 = (guint32)(seed >> 32);

  for (int round = 0; round < PHILOX_ROUNDS; round++)
    {
      guint64 p0 = (guint64)PHILOX_M0 * c0;
      guint64 p1 = (guint64)PHILOX_M1 * c2;
      guint32 next0 = (guint32)(p1 >> 32) ^ c1 ^ k0;
      guint32 next2 = (guint32)(p0 >> 32) ^ c3 ^ k1;
      c0 = next0;
      c1 = (guint32)p1;
      c2 = next2;
      c3 = (guint32)p0;
      k0 += PHILOX_W0;
      k1 += PHILOX_W1;
    }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

void
fen_random_init (FenRandom *random, guint64 seed, guint64 stream)
{
  *random = (FenRandom){ .seed = seed, .stream = stream, .counter = 0 };
}

/* The next `count` words of the sequence. */
static void
draw (FenRandom *random, guint32 *words, guint count)
{
  guint32 block[4];
  for (guint i = 0; i < count; i++)
    {
      guint lane = (guint)(random->counter & 3);
      if (i == 0 || lane == 0)
        fen_philox4x32 (random->seed, random->stream, random->counter >> 2, block);
      words[i] = block[lane];
      random->counter++;
    }
}

guint32
fen_random_u32 (FenRandom *random)
{
  guint32 word;
  draw (random, &word, 1);
  return word;
}

guint64
fen_random_u64 (FenRandom *random)
{
  guint32 words[2];
  draw (random, words, 2);
  return (guint64)words[1] << 32 | words[0];
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high half of a 128-bit product, drawn again
 * while the low half falls into the part that would be counted once too often. */
guint64
fen_random_below (FenRandom *random, guint64 bound)
{
  g_return_val_if_fail (bound > 0, 0);
  guint64 threshold = -bound % bound;
  for (;;)
    {
      unsigned __int128 product = (unsigned __int128)fen_random_u64 (random) * bound;
      if ((guint64)product >= threshold)
        return (guint64)(product >> 64);
    }
}

static double
unit_double (guint32 low, guint32 high)
{
  guint64 bits = (guint64)high << 32 | low;
  return (double)(bits >> 11) * 0x1p-53;
}

double
fen_random_uniform (FenRandom *random)
{
  guint32 words[2];
  draw (random, words, 2);
  return unit_double (words[0], words[1]);
}

double
fen_random_normal (FenRandom *random)
{
  guint32 words[4];
  draw (random, words, 4);
  /* 1 - u is in (0, 1], so the logarithm is finite. */
  double radius = sqrt (-2.0 * log (1.0 - unit_double (words[0], words[1])));
  return radius * cos (2.0 * G_PI * unit_double (words[2], words[3]));
}
