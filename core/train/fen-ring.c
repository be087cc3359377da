/* fen-ring.c: see fen-ring.h.
 *
 *   slots:  [ ][x][x][x][ ][ ][ ][ ]      head: next slot to write, tail: next slot to read; both only grow,
 *              ^tail     ^head            the slot is the counter modulo the capacity.
 *
 * The producer publishes a slot by storing head with release order after writing it; the consumer's acquire load of
 * head makes the slot's bytes visible. The same pairing on tail keeps the producer off a slot that is being read.
 * Each side keeps its own stale copy of the other's counter and rereads it only when the ring looks full or empty,
 * so that in the usual case the counters' cache lines do not travel.
 */
#include "core/train/fen-ring.h"

#include <stdatomic.h>

#define CACHE_LINE 64

struct _FenRing {
  _Alignas(CACHE_LINE) atomic_uint_fast64_t head; /* written by the producer */
  guint64 seen_tail;                              /* producer's copy of tail */
  atomic_uint_fast64_t dropped;
  _Alignas(CACHE_LINE) atomic_uint_fast64_t tail; /* written by the consumer */
  guint64 seen_head;                              /* consumer's copy of head */
  _Alignas(CACHE_LINE) guint64 capacity;          /* a power of two; constant */
  FenSample *slots;
};

FenRing *
fen_ring_new (guint capacity)
{
  FenRing *ring = g_aligned_alloc0 (1, sizeof *ring, CACHE_LINE);
  ring->capacity = 2;
  while (ring->capacity < MIN (capacity, 1u << 24))
    ring->capacity *= 2;
  ring->slots = g_new (FenSample, ring->capacity);
  atomic_init (&ring->head, 0);
  atomic_init (&ring->tail, 0);
  atomic_init (&ring->dropped, 0);
  return ring;
}

void
fen_ring_free (FenRing *ring)
{
  if (ring == NULL)
    return;
  g_free (ring->slots);
  g_aligned_free (ring);
}

gboolean
fen_ring_push (FenRing *ring, const FenSample *sample)
{
  const guint64 head = atomic_load_explicit (&ring->head, memory_order_relaxed);
  if (head - ring->seen_tail == ring->capacity)
    {
      ring->seen_tail = atomic_load_explicit (&ring->tail, memory_order_acquire);
      if (head - ring->seen_tail == ring->capacity)
        {
          atomic_fetch_add_explicit (&ring->dropped, 1, memory_order_relaxed);
          return FALSE;
        }
    }
  ring->slots[head & (ring->capacity - 1)] = *sample;
  atomic_store_explicit (&ring->head, head + 1, memory_order_release);
  return TRUE;
}

gboolean
fen_ring_pop (FenRing *ring, FenSample *sample)
{
  const guint64 tail = atomic_load_explicit (&ring->tail, memory_order_relaxed);
  if (tail == ring->seen_head)
    {
      ring->seen_head = atomic_load_explicit (&ring->head, memory_order_acquire);
      if (tail == ring->seen_head)
        return FALSE;
    }
  *sample = ring->slots[tail & (ring->capacity - 1)];
  atomic_store_explicit (&ring->tail, tail + 1, memory_order_release);
  return TRUE;
}

guint64
fen_ring_dropped (FenRing *ring)
{
  return atomic_load_explicit (&ring->dropped, memory_order_relaxed);
}
