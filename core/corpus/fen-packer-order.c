/* fen-packer-order.c: a random order of 0 .. n-1 without a table of n numbers (see fen-packer.h).
 *
 * An epoch of a large corpus has billions of rows at short contexts; their order must be exact after a resume and cost
 * no memory. A Feistel network of six rounds with a strong round function is a permutation by construction and cannot
 * be told from a random one (Luby, Rackoff 1988: four rounds suffice). The domain is at most 4 n, so a walk takes four
 * steps on average at most; but it is at least 64, because networks of a few values show a bias that the tests see.
 */
#include "core/base/fen-random.h"
#include "core/corpus/fen-packer.h"

#define ROUNDS 6
#define MIN_HALF_BITS 3

void
fen_permutation_init (FenPermutation *permutation, guint64 seed, guint64 stream, guint purpose, guint64 n)
{
  guint half_bits = MIN_HALF_BITS;
  while (half_bits < 31 && ((guint64)1 << (2 * half_bits)) < n)
    half_bits++;
  *permutation = (FenPermutation){
    .seed = seed, .stream = stream, .purpose = purpose, .n = n, .half_bits = half_bits
  };
}

static guint64
encrypt (const FenPermutation *permutation, guint64 value)
{
  guint64 mask = ((guint64)1 << permutation->half_bits) - 1;
  guint64 left = value >> permutation->half_bits, right = value & mask;
  for (guint64 round = 0; round < ROUNDS; round++)
    {
      guint32 random[4];
      fen_philox4x32 (permutation->seed, permutation->stream,
                      permutation->purpose << 56 | round << 48 | right, random);
      guint64 next = left ^ (random[0] & mask);
      left = right;
      right = next;
    }
  return left << permutation->half_bits | right;
}

guint64
fen_permutation_at (const FenPermutation *permutation, guint64 i)
{
  /* i < n lies on a cycle that comes back below n, at the latest at i itself */
  guint64 value = i;
  if (permutation->n == 1)
    return 0;
  do
    value = encrypt (permutation, value);
  while (value >= permutation->n);
  return value;
}
