/* fen-cuda-embedding.h: how much scratch memory the embedding's backward pass wants. */
#pragma once

#include "kernels/fen-backend.h"

uint64_t fen_cuda_embedding_backward_workspace (const FenEmbeddingBackward *p);
