/* fen-peak-private.h: the table of cards, for fen-peak.c and its test. */
#pragma once

#include "core/engine/fen-peak.h"

G_BEGIN_DECLS

typedef struct {
  const char *name; /* as fen_peak_normalize gives it; NULL ends the table */
  int units;        /* SMs */
  double tflops;    /* dense bf16 with fp32 accumulation */
} FenPeakCard;

const FenPeakCard *fen_peak_cards (void);

/* A driver's name for a card without what does not tell cards of one rate apart: the maker, the amount and kind of
 * memory. "NVIDIA A100-SXM4-80GB" and "A100-SXM4-40GB" are "A100 SXM4". Every other word stays, "Laptop GPU" too. */
void fen_peak_normalize (const char *name, char *result, gsize size);

G_END_DECLS
