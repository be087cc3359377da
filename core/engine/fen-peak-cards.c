/* fen-peak-cards.c: the published dense bf16 rate of cards, with fp32 accumulation.
 *
 * What vendors print largest is twice or four times this: with 2:4 sparsity, or with fp16 accumulation. GeForce cards
 * accumulate in fp32 at half the rate of the professional cards with the same chip, and so does the L40.
 *
 * Where a family's document has the figure, that is it. Otherwise (cards that came after the document) it is SMs x
 * rate of an SM x boost clock, all three as published; the test holds every figure against that product, which gives
 * the documents' own ones to about 1%. FLOP per SM and clock, dense bf16 with fp32 sums: B200 8192, Hopper 4096, A100
 * 2048, other Ampere, Ada and Blackwell 1024, GeForce 512.
 * Cards of which one factor is not certain (laptop parts, regional variants, cards sold to one cloud) are left out: those
 * are measured.
 */
#include "core/engine/fen-peak-private.h"

static const FenPeakCard cards[] = {
  /* "NVIDIA A100 Tensor Core GPU Architecture", 2020; A30 data sheet, 2021. */
  { "A100 SXM4", 108, 312 },
  { "A100 PCIE", 108, 312 },
  { "A30", 56, 165 },

  /* "NVIDIA H100 Tensor Core GPU Architecture", 2022 (989.4 and 756 dense); H100 NVL, H200, H200 NVL and GH200 data
   * sheets, 2023 and 2024: half of the figures with sparsity, 1,979 and 1,671. */
  { "H100", 132, 989.4 },
  { "H100 SXM5", 132, 989.4 },
  { "H100 PCIE", 114, 756 },
  { "H100 NVL", 132, 835.5 },
  { "H200", 132, 989.4 },
  { "H200 NVL", 132, 835.5 },
  { "GH200", 132, 989.4 },

  /* HGX B200 data sheet, 2024, at 1,000 W: half of the 4.5 PFLOPS with sparsity. */
  { "B200", 148, 2250 },

  /* "NVIDIA Ampere GA102 GPU Architecture", V2.0, with its appendices on RTX 3090, 3070 and A6000; A40, A10 and A2 data
   * sheets. */
  { "A40", 84, 149.7 },
  { "A10", 72, 125 },
  { "A2", 10, 18 },
  { "RTX A6000", 84, 154.8 },
  { "GEFORCE RTX 3090 TI", 84, 80 },
  { "GEFORCE RTX 3090", 82, 71.2 },
  { "GEFORCE RTX 3080 TI", 80, 68.2 },
  { "GEFORCE RTX 3080", 70, 61.3 }, /* 12 GB */
  { "GEFORCE RTX 3080", 68, 59.5 },
  { "GEFORCE RTX 3070 TI", 48, 43.5 },
  { "GEFORCE RTX 3070", 46, 40.6 },
  { "GEFORCE RTX 3060 TI", 38, 32.4 },
  { "GEFORCE RTX 3060", 28, 25.5 },
  /* RTX A-series data sheets, 2021: half of "Tensor performance", which is with sparsity. */
  { "RTX A5500", 80, 136.4 },
  { "RTX A5000", 64, 111.1 },
  { "RTX A4500", 56, 94.6 },
  { "RTX A4000", 48, 76.7 },

  /* "NVIDIA Ada GPU Architecture", V2.01; L40, L40S and L4 data sheets, 2023. */
  { "L40S", 142, 362 },
  { "L40", 142, 181 },
  { "L4", 58, 121 },
  { "GEFORCE RTX 4090", 128, 165.2 },
  { "GEFORCE RTX 4080 SUPER", 80, 104.4 },
  { "GEFORCE RTX 4080", 76, 97.5 },
  { "GEFORCE RTX 4070 TI SUPER", 66, 88.2 },
  { "GEFORCE RTX 4070 TI", 60, 80.2 },
  { "GEFORCE RTX 4070 SUPER", 56, 71 },
  { "GEFORCE RTX 4070", 46, 58.3 },
  { "GEFORCE RTX 4060 TI", 34, 44.1 },
  { "GEFORCE RTX 4060", 24, 30.2 },
  /* RTX Ada Generation data sheets: a quarter of "Tensor performance", which is fp8 with sparsity. */
  { "RTX 6000 ADA GENERATION", 142, 364.2 },
  { "RTX 5880 ADA GENERATION", 110, 277.1 },
  { "RTX 5000 ADA GENERATION", 100, 261.1 },
  { "RTX 4500 ADA GENERATION", 60, 158.5 },
  { "RTX 4000 ADA GENERATION", 48, 106.9 },

  /* "NVIDIA RTX Blackwell GPU Architecture", 2025; RTX PRO 6000 Blackwell Workstation Edition data sheet, 2025. */
  { "GEFORCE RTX 5090", 170, 209.5 },
  { "GEFORCE RTX 5080", 84, 112.6 },
  { "GEFORCE RTX 5070 TI", 70, 87.9 },
  { "GEFORCE RTX 5070", 48, 61.7 },
  { "GEFORCE RTX 5060 TI", 36, 47.4 },
  { "GEFORCE RTX 5060", 30, 38.4 },
  { "RTX PRO 6000 BLACKWELL WORKSTATION EDITION", 188, 503.8 },
  { NULL },
};

const FenPeakCard *
fen_peak_cards (void)
{
  return cards;
}
