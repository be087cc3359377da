/* fen-backend.h: every operation of a training step, behind one plain-C table of functions.
 *
 * Three implementations: kernels/cpu (always there), kernels/cuda (a module loaded at run time), kernels/reference
 * (double precision, slow and obvious; the oracle of the tests). The engine knows this header alone.
 *
 * Conventions, for all operations:
 * - Matrices are row-major; leading dimensions, strides and counts are in ELEMENTS and 64-bit. Shapes stand in
 *   comments as (rows, columns). Pointers are device pointers of memory from `alloc` of the same device.
 * - dtype is the STORAGE type of activations: F32, BF16 or F16 (F64: reference only). Arithmetic, softmax, norms and
 *   reductions are in fp32 or better. Statistics (LSE, mean, rstd, losses) are always fp32; gradients of parameters
 *   are always fp32 and are ADDED to (`+=`); the caller zeroes them with `fill`. With F64 storage the reference
 *   back end keeps statistics and gradients in the documented type all the same, except where noted.
 * - An operation only enqueues work on `stream`, in order; it never allocates and never waits. Scratch memory is the
 *   caller's: `workspace_bytes` says how much one call needs, from the shape alone and without a device, so that the
 *   plan can count it. Workspace content is undefined before and after. 256-byte aligned.
 * - Input pointers may not alias outputs unless the operation says so.
 * - Operations return nothing. A failed launch is remembered by the device and reported by `check`, which the engine
 *   calls at the end of each step (debug builds check every launch): wrong arithmetic is never silent.
 * - Parameters out of their documented range are a caller's error. `supports` tells beforehand, in words.
 * - Determinism: with FenDeviceOptions.deterministic, equal inputs, shapes and thread counts give equal bits.
 * - Threads: a device and its streams are used by one thread at a time; different devices are independent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FEN_BACKEND_ABI 3

/* ---- types ---- */

typedef enum {
  FEN_F32,
  FEN_BF16,
  FEN_F16,
  FEN_F64, /* reference back end only */
  FEN_I32,
  FEN_U8,
} FenDType;

static inline size_t
fen_dtype_size (FenDType dtype)
{
  static const uint8_t sizes[] = { 4, 2, 2, 8, 4, 1 };
  return sizes[dtype];
}

typedef enum {
  FEN_STATUS_OK = 0,
  FEN_STATUS_NO_DRIVER,     /* driver or module missing or too old */
  FEN_STATUS_NO_DEVICE,     /* no such device */
  FEN_STATUS_OUT_OF_MEMORY, /* `alloc` only */
  FEN_STATUS_UNSUPPORTED,   /* an operation or shape that this back end lacks */
  FEN_STATUS_LAUNCH,        /* a kernel did not start or reported an error */
  FEN_STATUS_DEVICE_LOST,   /* illegal access, device reset: the process must be restarted to use it again */
} FenStatusCode;

/* A result with words for people. `message` is one line without a newline. */
typedef struct {
  FenStatusCode code;
  char message[480];
} FenStatus;

typedef struct FenBackend FenBackend;
typedef struct FenDevice FenDevice; /* one opened device */
typedef struct FenStream FenStream; /* a queue of work; NULL = the device's default stream */
typedef struct FenEvent FenEvent;   /* a point in a stream that another stream can wait for */

typedef enum {
  FEN_MEMORY_DEVICE,      /* what kernels read and write */
  FEN_MEMORY_PINNED_HOST, /* page-locked host memory for asynchronous copies */
} FenMemoryKind;

/* Plain data: the plan works from this alone, for a device that need not be here. */
typedef struct {
  char name[128];         /* "NVIDIA H200", "AMD EPYC ... (2 threads)" */
  char kind[16];          /* "cpu", "cuda", "reference" */
  int index;              /* of this kind */
  uint64_t total_bytes;   /* device memory (host memory for the CPU) */
  uint64_t free_bytes;    /* when asked */
  uint64_t overhead_bytes; /* what opening the device takes outside the arena (context, BLAS buffers); 0 = not known */
  int units;              /* SMs, or threads for the CPU */
  int capability;         /* 90 for sm_90; CPU: widest vector width in bits */
  char pci_bus_id[16];    /* "0000:1B:00.0": the card's address for the driver's monitor; "" = none */
  bool storage[6];        /* FenDType -> usable as storage */
  bool host_memory;       /* device memory is host memory: pointers may be read by the CPU after `synchronize` */
} FenDeviceProperties;

typedef struct {
  int threads;        /* CPU: number of threads, 0 = as many as the process may use */
  bool deterministic; /* equal bits run after run */
  bool tf32;          /* CUDA: fp32 GEMM may use TF32; default false */
} FenDeviceOptions;

typedef enum {
  FEN_OP_GEMM,
  FEN_OP_EMBEDDING_FORWARD,
  FEN_OP_EMBEDDING_BACKWARD,
  FEN_OP_NORM_FORWARD,
  FEN_OP_NORM_BACKWARD,
  FEN_OP_ROPE,
  FEN_OP_ACTIVATION_FORWARD,
  FEN_OP_ACTIVATION_BACKWARD,
  FEN_OP_BIAS_GRADIENT,
  FEN_OP_ATTENTION_FORWARD,
  FEN_OP_ATTENTION_BACKWARD,
  FEN_OP_CROSS_ENTROPY,
  FEN_OP_ADD,
  FEN_OP_FILL,
  FEN_OP_CAST,
  FEN_OP_SUM,
  FEN_OP_SUM_SQUARES,
  FEN_OP_CLIP,
  FEN_OP_ADAMW,
  FEN_OP_ADAMW8,
  FEN_N_OPS
} FenOp;

/* ---- GEMM ---- */

/* C (m, n) = alpha * op(A) (m, k) * op(B) (k, n) + beta * C + bias
 * op(X) = X, or its transpose when trans_x: then X is stored (k, m) or (n, k). A Linear layer's y = x W^T with W
 * (out, in) is trans_b; GPT-2's Conv1D, W (in, out), is not. beta = 0 never reads C (it may hold NaN).
 * Mixed types: A and B share one type; C may be that type or F32. Products are summed in fp32. A 16-bit C is rounded
 * once when beta = 0 and there is no bias; otherwise the product, and its sum with beta * C, may be rounded to C's type
 * before the next is added, as when a framework adds them afterwards (cuBLASLt's Hopper kernels do so). */
typedef struct {
  int64_t m, n, k;
  bool trans_a, trans_b;
  FenDType ab_dtype, c_dtype;
  const void *a;
  const void *b;
  void *c;
  int64_t lda, ldb, ldc;
  float alpha, beta;
  const void *bias; /* (n), ab_dtype, or NULL; added once, after alpha and beta */
  void *workspace;
} FenGemm;

/* ---- embedding ---- */

/* out (rows, width) = token_table[tokens[i]] + position_table[positions[i]].
 * Backward: d_token_table[tokens[i]] += d_out[i], the same for positions; deterministic when asked. */
typedef struct {
  int64_t rows, width;
  FenDType dtype;           /* of tables and out / d_out */
  const int32_t *tokens;    /* (rows) */
  const int32_t *positions; /* (rows); may be NULL when position_table is */
  const void *token_table;  /* (vocab, width) */
  const void *position_table; /* (positions, width) or NULL */
  void *out;
} FenEmbeddingForward;

typedef struct {
  int64_t rows, width, vocab, max_positions; /* table heights */
  FenDType dtype;
  const int32_t *tokens, *positions;
  const void *d_out;       /* (rows, width) */
  float *d_token_table;    /* (vocab, width) += */
  float *d_position_table; /* (max_positions, width) += or NULL */
  void *workspace;
} FenEmbeddingBackward;

/* ---- norms ---- */

typedef enum {
  FEN_NORM_LAYER, /* Ba, Kiros, Hinton 2016: (x - mean) * rstd * weight + bias */
  FEN_NORM_RMS,   /* Zhang, Sennrich 2019: x * rstd * weight */
} FenNormKind;

/* sum = x + delta (when delta), y = norm (sum). All (rows, width). `sum` may be x; `y` may be delta. The sum is
 * rounded to dtype first and the norm is taken of the rounded value, as frameworks do. */
typedef struct {
  FenNormKind kind;
  int64_t rows, width;
  FenDType dtype;
  float epsilon;
  const void *x;
  const void *delta; /* residual branch to add, or NULL */
  void *sum;         /* written when delta */
  const void *weight; /* (width), dtype */
  const void *bias;   /* (width) or NULL */
  void *y;
  float *mean; /* (rows), FEN_NORM_LAYER; may be NULL */
  float *rstd; /* (rows); may be NULL */
} FenNormForward;

/* dx = d_residual + (d norm / dx)(dy); d_weight += sum over rows dy * xhat; d_bias += sum dy. */
typedef struct {
  FenNormKind kind;
  int64_t rows, width;
  FenDType dtype;
  const void *dy;
  const void *x; /* what was normalised (`sum` of the forward) */
  const void *weight;
  const float *mean, *rstd;
  const void *d_residual; /* gradient that bypasses the norm, or NULL; may be dx */
  void *dx;               /* may be dy or d_residual */
  float *d_weight, *d_bias; /* (width) +=; NULL = not wanted */
  void *workspace;
} FenNormBackward;

/* ---- rotary positions ---- */

/* Rotates x in place (Su et al. 2021, in the half-split layout of transformers' Llama): pairs (i, i + rotary/2),
 *   x_i' = x_i cos - x_j sin, x_j' = x_j cos + x_i sin, angle = position * inv_freq[i], times `scale`.
 * The angle is formed in double precision or an equally exact way: positions may be millions. `inverse` turns the
 * other way: the gradient. x is seen as (rows, heads, head_dim) with the strides given. */
typedef struct {
  int64_t rows;
  int32_t heads, head_dim, rotary_dim; /* rotary_dim <= head_dim, even */
  FenDType dtype;
  void *x;
  int64_t token_stride, head_stride;
  const int32_t *positions; /* (rows) */
  const float *inv_freq;    /* (rotary_dim / 2), device memory */
  float scale;              /* 1 for plain RoPE */
  bool inverse;
} FenRope;

/* ---- activations ---- */

typedef enum {
  FEN_GELU_TANH, /* transformers' gelu_new, gelu_pytorch_tanh */
  FEN_GELU_ERF,
  FEN_SILU,
  FEN_RELU,
} FenActivationKind;

/* Plain: y (rows, width) = f(x), x (rows, width). Gated: x (rows, 2 * width) = [gate | up], y = f(gate) * up.
 * Backward: dx has x's layout and may be x. Leading dimensions: x and dx `ldx`, y and dy contiguous. */
typedef struct {
  FenActivationKind kind;
  bool gated;
  int64_t rows, width, ldx;
  FenDType dtype;
  const void *x;
  void *y;        /* forward */
  const void *dy; /* backward */
  void *dx;       /* backward */
} FenActivation;

/* d_bias (n) += column sums of dy (rows, n). */
typedef struct {
  int64_t rows, n, ldy;
  FenDType dtype;
  const void *dy;
  float *d_bias;
  void *workspace;
} FenBiasGradient;

/* ---- attention ---- */

typedef enum {
  FEN_ATTENTION_FLASH, /* tiles, online softmax: no (queries, keys) array ever (Dao 2023, FlashAttention-2) */
  FEN_ATTENTION_PLAIN, /* scores through GEMM in blocks of queries: what runs with FlashAttn-2 off */
} FenAttentionPath;

/* Element (b, t, h, e) lies at data[b * batch_stride + t * token_stride + h * head_stride + e]. */
typedef struct {
  void *data;
  int64_t batch_stride, token_stride, head_stride;
} FenHeadView;

/* O = softmax (scale * Q K^T + mask) V for nq queries at absolute positions q0 .. q0+nq-1 of their row against nk
 * keys at k0 .. k0+nk-1 (a chunk against the prefix before it and itself; usually k0 + nk == q0 + nq).
 *
 * Mask, the project's only representation: query q sees key k when
 *     lo(q) <= k <= q,   lo(q) = max (doc_start[q], q - window + 1)       (window 0: no limit), or
 *     doc_start[q] <= k < doc_start[q] + sinks  and  k <= q.
 * lo never decreases with q, so the queries of a key are an interval too: k <= q < hi(k),
 * hi(k) = min (doc_end[k], k + window). Cost is proportional to visible pairs: tiles without any are not visited.
 *
 * Grouped heads (GQA): query head h reads key head h / (heads / kv_heads).
 * LSE: natural log of the sum over visible keys (scale included, learned sink included). A query that sees no key
 * has O = 0, LSE = -inf and P = 0 in backward.
 * softcap c > 0: scores become c * tanh (score / c) before the mask (Gemma 2). sink_logits: one learned logit a
 * head that takes part in the softmax without a value (gpt-oss).
 */
typedef struct {
  FenAttentionPath path;
  FenDType dtype;
  int64_t batch, nq, nk, q0, k0;
  int32_t heads, kv_heads, head_dim; /* head_dim <= 256 */
  float scale;
  float softcap;            /* 0 = none */
  const float *sink_logits; /* (heads) or NULL */
  int64_t window;           /* visible keys, the token itself included; 0 = all */
  int64_t sinks;            /* first tokens of the document that stay visible */
  const int32_t *doc_start; /* (batch, doc_stride) by absolute position; NULL = one document from 0 */
  const int32_t *doc_end;   /* exclusive; NULL exactly when doc_start is */
  int64_t doc_stride;
  FenHeadView q, k, v, o;
  float *lse; /* (batch, heads, nq): lse[b * lse_batch_stride + h * lse_head_stride + i]; NULL = not wanted */
  int64_t lse_batch_stride, lse_head_stride;
  void *workspace;
} FenAttention;

/* Gradients of FenAttention. o and lse are the forward's results. dq is stored (every key of a query is in this
 * call). dk and dv: `accumulate` adds to them (F32 then), so that the chunks of a row add up; else they are stored.
 * Keys that no query sees get 0 when storing. d_sink_logits (heads) += or NULL. */
typedef struct {
  FenAttention forward;
  FenHeadView d_o, dq, dk, dv;
  FenDType dkv_dtype; /* F32, or the storage dtype when not accumulating */
  bool accumulate;
  float *d_sink_logits;
  void *workspace;
} FenAttentionBackward;

/* ---- loss ---- */

/* Softmax cross-entropy of logits (rows, vocab), fused with its gradient, in place.
 * losses[i] = logsumexp (logits[i]) - logits[i][targets[i]]; target < 0: loss 0 and gradient 0.
 * When `gradient`: logits[i][j] = (softmax_j - [j == target]) * grad_scale, columns vocab .. ld-1 become 0.
 * softcap as in attention, for final logits (Gemma 2): the gradient includes it. */
typedef struct {
  int64_t rows, vocab, ld; /* ld >= vocab */
  FenDType dtype;
  void *logits;
  const int32_t *targets; /* (rows) */
  float *losses;          /* (rows) */
  float grad_scale;       /* 1 / targets in the optimizer step, times the loss scale */
  float softcap;
  bool gradient;
} FenCrossEntropy;

/* ---- elementwise, reductions ---- */

/* y (n) += x (n), same dtype (gradients of two branches). */
typedef struct {
  int64_t n;
  FenDType dtype;
  const void *x;
  void *y;
} FenAdd;

/* Sets n elements to `value` (F32, F64, BF16, F16, I32, U8). */
typedef struct {
  int64_t n;
  FenDType dtype;
  void *x;
  double value;
} FenFill;

/* dst (n) = (dst_dtype) src (n), round to nearest even. */
typedef struct {
  int64_t n;
  FenDType src_dtype, dst_dtype;
  const void *src;
  void *dst;
} FenCast;

/* What a step measures, in device memory; copied out once a step. */
typedef struct {
  double loss_sum;       /* sum of losses */
  double gradient_sumsq; /* sum of squares of the (scaled) gradient */
  float gradient_norm;   /* after `clip`: the true norm, unscaled */
  float gradient_scale;  /* after `clip`: what AdamW multiplies gradients by */
  int32_t skip;          /* after `clip`: 1 when the norm is not finite; AdamW then changes nothing */
  int32_t reserved;
} FenStepStats;

/* *sum += sum of x (n) [or of squares], summed in double in a fixed order. */
typedef struct {
  int64_t n;
  FenDType dtype;
  const void *x;
  double *sum;
  void *workspace;
} FenSum;

/* From stats->gradient_sumsq: norm = sqrt (sumsq) * inverse_loss_scale; scale = inverse_loss_scale times
 * min (1, max_norm / (norm + 1e-6)) (torch.nn.utils.clip_grad_norm_; max_norm 0 = no clipping); skip. */
typedef struct {
  FenStepStats *stats;
  float max_norm;
  float inverse_loss_scale;
} FenClip;

/* ---- optimizer ---- */

/* AdamW (Loshchilov, Hutter 2019), as torch.optim.AdamW:
 *   p -= lr * weight_decay * p;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
 *   p -= lr / bias1 * m / (sqrt (v / bias2) + epsilon),   bias_i = 1 - b_i^t
 * g = gradient * stats->gradient_scale; nothing changes when stats->skip. The update is made on `master` (fp32) and
 * rounded into `param`; master NULL: `param` is F32 and is its own master. */
typedef struct {
  int64_t n;
  FenDType dtype;
  void *param;
  float *master;
  const float *gradient;
  float *m, *v;
  float lr, beta1, beta2, epsilon, weight_decay;
  float bias1, bias2;
  const FenStepStats *stats;
} FenAdamW;

/* 8-bit block-wise AdamW (Dettmers, Lewis, Shleifer, Zettlemoyer 2021): m and v as indices into the dynamic map
 * (signed for m, unsigned for v), blocks of 256 values with an fp32 absmax each. Arithmetic in fp32. */
#define FEN_ADAMW8_BLOCK 256
typedef struct {
  int64_t n;
  FenDType dtype;
  void *param;
  float *master;
  const float *gradient;
  uint8_t *m, *v;
  float *m_absmax, *v_absmax; /* (ceil (n / FEN_ADAMW8_BLOCK)) */
  float lr, beta1, beta2, epsilon, weight_decay;
  float bias1, bias2;
  const FenStepStats *stats;
} FenAdamW8;

/* ---- the table ---- */

struct FenBackend {
  uint32_t abi;     /* FEN_BACKEND_ABI */
  const char *name; /* "cpu", "cuda", "reference" */

  /* Devices. `device_count` of a back end without any is 0 with a reason in `status`. */
  int (*device_count) (FenStatus *status);
  bool (*device_properties) (int index, const FenDeviceOptions *options, FenDeviceProperties *properties,
                             FenStatus *status);
  FenDevice *(*open) (int index, const FenDeviceOptions *options, FenStatus *status);
  void (*close) (FenDevice *device); /* all memory, streams and events freed before */

  /* Memory: 256-byte aligned, content undefined. NULL with FEN_STATUS_OUT_OF_MEMORY and the numbers in words. */
  void *(*alloc) (FenDevice *device, FenMemoryKind kind, uint64_t bytes, FenStatus *status);
  void (*free) (FenDevice *device, FenMemoryKind kind, void *memory, uint64_t bytes);
  /* Bytes in use on the device by everybody, and its total; false when it cannot be known. */
  bool (*memory_info) (FenDevice *device, uint64_t *used, uint64_t *total);

  /* Streams and events. The CPU back end executes at once; its streams and events are cheap objects. */
  FenStream *(*stream_new) (FenDevice *device, FenStatus *status);
  void (*stream_free) (FenDevice *device, FenStream *stream);
  FenEvent *(*event_new) (FenDevice *device, FenStatus *status);
  void (*event_free) (FenDevice *device, FenEvent *event);
  void (*event_record) (FenDevice *device, FenStream *stream, FenEvent *event);
  void (*stream_wait) (FenDevice *device, FenStream *stream, FenEvent *event);
  /* The calling thread waits until what was in the stream at the event's last record is done; at once for an event
   * that was never recorded. */
  void (*event_synchronize) (FenDevice *device, FenEvent *event);
  /* Waits until the stream is idle (NULL: all streams). */
  void (*synchronize) (FenDevice *device, FenStream *stream);
  /* Any copy between host and device memory of this device, in stream order. Regions do not overlap. */
  void (*copy) (FenDevice *device, FenStream *stream, void *dst, const void *src, uint64_t bytes);
  /* The first error since the last check; FEN_STATUS_OK when there was none. Does not wait. */
  FenStatusCode (*check) (FenDevice *device, FenStatus *status);

  /* Questions about one operation; `params` is its struct, pointers in it are not looked at. */
  bool (*supports) (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why);
  uint64_t (*workspace_bytes) (const FenDeviceProperties *properties, FenOp op, const void *params);
  /* Which kernel would run: "cpu flash avx512 64x64". For the attention badge and the benches. */
  void (*describe) (const FenDeviceProperties *properties, FenOp op, const void *params, char *text, size_t size);

  /* Operations. */
  void (*gemm) (FenDevice *, FenStream *, const FenGemm *);
  void (*embedding_forward) (FenDevice *, FenStream *, const FenEmbeddingForward *);
  void (*embedding_backward) (FenDevice *, FenStream *, const FenEmbeddingBackward *);
  void (*norm_forward) (FenDevice *, FenStream *, const FenNormForward *);
  void (*norm_backward) (FenDevice *, FenStream *, const FenNormBackward *);
  void (*rope) (FenDevice *, FenStream *, const FenRope *);
  void (*activation_forward) (FenDevice *, FenStream *, const FenActivation *);
  void (*activation_backward) (FenDevice *, FenStream *, const FenActivation *);
  void (*bias_gradient) (FenDevice *, FenStream *, const FenBiasGradient *);
  void (*attention_forward) (FenDevice *, FenStream *, const FenAttention *);
  void (*attention_backward) (FenDevice *, FenStream *, const FenAttentionBackward *);
  void (*cross_entropy) (FenDevice *, FenStream *, const FenCrossEntropy *);
  void (*add) (FenDevice *, FenStream *, const FenAdd *);
  void (*fill) (FenDevice *, FenStream *, const FenFill *);
  void (*cast) (FenDevice *, FenStream *, const FenCast *);
  void (*sum) (FenDevice *, FenStream *, const FenSum *);
  void (*sum_squares) (FenDevice *, FenStream *, const FenSum *);
  void (*clip) (FenDevice *, FenStream *, const FenClip *);
  void (*adamw) (FenDevice *, FenStream *, const FenAdamW *);
  void (*adamw8) (FenDevice *, FenStream *, const FenAdamW8 *);
};

/* ---- finding a back end ---- */

/* "cpu", or "cuda": the module libfenestra-cuda.so, looked for beside the program, in its lib folder and on the
 * loader's path, loaded once. NULL with the reason in `status`. */
const FenBackend *fen_backend_find (const char *name, FenStatus *status);

/* The table of the embedded CPU back end. */
const FenBackend *fen_backend_cpu (void);

/* The symbol that a module exports: `const FenBackend *fen_backend_module (void);` */
typedef const FenBackend *(*FenBackendModule) (void);
#define FEN_BACKEND_MODULE_SYMBOL "fen_backend_module"

#ifdef __cplusplus
}
#endif
