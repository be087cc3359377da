/* fen-ring.h: samples from the worker to the window without a lock.
 *
 * A ring for exactly one producer and one consumer thread (Lamport, "Proving the Correctness of Multiprocess
 * Programs", 1977, with C11 acquire/release in place of sequential consistency). The producer never waits: when the
 * consumer is away (a hidden window, a stopped terminal) and the ring is full, the new sample is dropped and counted;
 * nothing is lost, since metrics.jsonl has every line.
 */
#pragma once

#include "core/train/fen-sample.h"

G_BEGIN_DECLS

typedef struct _FenRing FenRing;

/* `capacity` is rounded up to a power of two, at least 2. */
FenRing *fen_ring_new (guint capacity);
void fen_ring_free (FenRing *ring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenRing, fen_ring_free)

/* Producer's thread. FALSE: full, the sample was dropped and counted. */
gboolean fen_ring_push (FenRing *ring, const FenSample *sample);
/* Consumer's thread. FALSE: empty. */
gboolean fen_ring_pop (FenRing *ring, FenSample *sample);
/* Any thread. */
guint64 fen_ring_dropped (FenRing *ring);

G_END_DECLS
