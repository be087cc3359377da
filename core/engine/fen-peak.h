/* fen-peak.h: how fast a card could multiply matrices, which is what MFU is a share of.
 *
 * One figure for every run on a card: the dense bf16 rate with fp32 accumulation, as published. Tensor cores run fp16 at
 * the same rate. An fp32 run is held against it too, so that two runs on one card can be compared; its share is
 * small because fp32 is slow there, and the text says so. Where the card is not in the table the rate is measured by
 * short matrix products, and called measured: that is what the card reaches, not what it could.
 *
 * Threads: reentrant; fen_peak_measure uses the device.
 */
#pragma once

#include <glib.h>

#include "kernels/fen-backend.h"

G_BEGIN_DECLS

typedef enum { FEN_PEAK_UNKNOWN, FEN_PEAK_PUBLISHED, FEN_PEAK_MEASURED } FenPeakSource;

typedef struct {
  double flops; /* FLOP/s; 0 = unknown */
  FenPeakSource source;
} FenPeak;

/* From the table of cards (fen-peak-cards.c). A card counts as known when its name and its number of SMs are: a laptop's
 * part, a slice of a card (MIG) and a variant under the same name are others. */
FenPeak fen_peak_published (const FenDeviceProperties *device);

/* Best of several bf16 products on an opened device, a fraction of a second. Takes memory and gives it back: to be
 * called before a run takes its own. FEN_PEAK_UNKNOWN with the reason in `why` when it cannot be had. */
FenPeak fen_peak_measure (const FenBackend *backend, FenDevice *device, const FenDeviceProperties *properties,
                          FenStatus *why);

const char *fen_peak_source_name (FenPeakSource source); /* "published" */
/* "989 TFLOP/s (dense bf16, published)"; free with g_free. */
char *fen_peak_text (FenPeak peak);

G_END_DECLS
