/* fen-cuda-attention-mma-backward.h: the tensor-core backward pass of attention (Dao 2023, FlashAttention-2,
 * algorithm 2), for every card from sm_80 on: one kernel template, its tile shapes, its launch.
 *
 * A block owns KEYS keys of one key head, keeps K and V in shared memory and dK, dV in registers, and walks over the
 * tiles of QN queries that see any of its keys, for every query head of the group. Scores stand transposed, keys x
 * queries, so that P and dS leave the first two products in the registers that the next two want as their A operand:
 *
 *     S^T  = K Q^T          dP^T = V dO^T         (keys x queries)
 *     P    = 2^(S - lse2)   dS   = P (dP - D)
 *     dV  += P^T dO         dK  += dS^T Q         (keys x d)          A operand from registers
 *     dQ  += dS K                                 (queries x d)       dS through shared memory
 *
 * Warps: KG groups of KEYS / KG keys each, times DS. DS = 1: a warp owns its keys' whole dK and dV rows; it takes the
 * tile's queries 32 at a time. DS = 2 (wide heads): two warps share a group, each computes P and dS of half the queries
 * and owns half of the columns of dK and dV; the pair trades halves of P and dS through shared memory.
 *
 * The mask is one number a key: key k is seen by queries [k, hi (k)), whatever windows, documents and sinks there are.
 * It is applied where a group of keys meets 32 queries only in part; pairs of group and 32 queries that do not meet at
 * all are left out of all five products.
 *
 * dQ: the blocks of a query tile add to fp32 scratch memory, in any order or, when bits must be equal, in turn (-order.h).
 * It is laid out as the fragments lie in registers, 16 bytes a lane, so that a warp adds 512 contiguous bytes at once;
 * fen-cuda-attention-mma-backward.cu turns it into rows.
 *
 * Files: -shape.h tiles and addresses, -store.h and -order.h results, -block.h a warp's work on a tile of queries,
 * -kernel.h the walk and the launch, -dN.cu the shapes of one head_dim.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention.h"

/* What the kernel needs besides the operation's own parameters. */
struct FenMmaBackward {
  FenAttentionParams p;
  float *dq; /* (batch, heads, query tiles, QN * D) in fragment order */
  float
      *partial; /* (splits, 2, batch, kv_heads, nk, D): dV, dK of a part of a group; NULL: straight to rows */
  int *turns;   /* (batch, heads, query tiles, warps), zeros; NULL: dQ in any order */
  int query_tiles, key_tiles;
  int splits; /* blocks that share the query heads of a group */
  int band;   /* heads whose key tiles are scheduled together */
};

/* Tiles of one head_dim on one kind of card. */
struct FenMmaBackwardShape {
  int d, keys, queries; /* the head_dim that it is made for, its tile */
  int warps, blocks;    /* of a block; that a multiprocessor holds at once */
  void (*launch[2][2][2]) (const FenCudaCall &call, const FenMmaBackward &a); /* [fp16][softcap][in turn] */
};

/* One file a head_dim, so that they compile side by side. shared: bytes that a block may have on the card. */
FenMmaBackwardShape fen_mma_backward_shape_32 (int shared);
FenMmaBackwardShape fen_mma_backward_shape_64 (int shared);
FenMmaBackwardShape fen_mma_backward_shape_96 (int shared);
FenMmaBackwardShape fen_mma_backward_shape_128 (int shared);
FenMmaBackwardShape fen_mma_backward_shape_256 (int shared);
