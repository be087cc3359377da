/* fen-cuda-table.c: the table that the module exports. */
#include "kernels/cuda/fen-cuda-private.h"

static const FenBackend backend = {
  .abi = FEN_BACKEND_ABI,
  .name = "cuda",
  .device_count = fen_cuda_device_count,
  .device_properties = fen_cuda_device_properties,
  .open = fen_cuda_open,
  .close = fen_cuda_close,
  .alloc = fen_cuda_alloc,
  .free = fen_cuda_free,
  .memory_info = fen_cuda_memory_info,
  .stream_new = fen_cuda_stream_new,
  .stream_free = fen_cuda_stream_free,
  .event_new = fen_cuda_event_new,
  .event_free = fen_cuda_event_free,
  .event_record = fen_cuda_event_record,
  .stream_wait = fen_cuda_stream_wait,
  .event_synchronize = fen_cuda_event_synchronize,
  .synchronize = fen_cuda_synchronize,
  .copy = fen_cuda_copy,
  .check = fen_cuda_check,
  .supports = fen_cuda_supports,
  .workspace_bytes = fen_cuda_workspace_bytes,
  .describe = fen_cuda_describe,
  .gemm = fen_cuda_gemm,
  .embedding_forward = fen_cuda_embedding_forward,
  .embedding_backward = fen_cuda_embedding_backward,
  .norm_forward = fen_cuda_norm_forward,
  .norm_backward = fen_cuda_norm_backward,
  .rope = fen_cuda_rope,
  .activation_forward = fen_cuda_activation_forward,
  .activation_backward = fen_cuda_activation_backward,
  .bias_gradient = fen_cuda_bias_gradient,
  .attention_forward = fen_cuda_attention_forward,
  .attention_backward = fen_cuda_attention_backward,
  .cross_entropy = fen_cuda_cross_entropy,
  .add = fen_cuda_add,
  .fill = fen_cuda_fill,
  .cast = fen_cuda_cast,
  .sum = fen_cuda_sum,
  .sum_squares = fen_cuda_sum_squares,
  .clip = fen_cuda_clip,
  .adamw = fen_cuda_adamw,
  .adamw8 = fen_cuda_adamw8,
};

const FenBackend *fen_backend_module (void);

__attribute__ ((visibility ("default"))) const FenBackend *
fen_backend_module (void)
{
  return &backend;
}
