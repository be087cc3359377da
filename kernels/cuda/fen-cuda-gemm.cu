/* fen-cuda-gemm.cu: matrix products through cuBLASLt.
 *
 * cuBLASLt counts in columns. A row-major matrix is its transpose in columns, so C = op(A) op(B) is asked for as
 * C^T (n, m) = op(B)^T op(A)^T: the operands change places and keep their pointers, leading dimensions and transposes,
 * and the bias, one value a column of C, is cuBLASLt's one value a row.
 *
 * Algorithms: the first of cuBLASLt's heuristic for the shape, chosen at the first call and kept in the device, keyed by
 * everything that the choice depends on; pointers count by their alignment. Sums of split K are reduced in fp32 through
 * the workspace (REDUCTION_SCHEME_COMPUTE_TYPE): in C's own type they would be rounded once a part. cuBLASLt gives
 * equal bits for equal algorithms, shapes and cards, so every product here is deterministic.
 *
 * fp32 is fp32: CUBLAS_COMPUTE_32F, and TF32 (10 bits of fraction) only for devices opened with `tf32`.
 *
 * What cuBLASLt has no epilogue for (fp32 C with a 16-bit bias) begins with C = beta * C + bias; what it has no algorithm
 * for goes to fen-cuda-gemm-tiles.cu.
 */
#include "kernels/cuda/fen-cuda-gemm.h"

#include <cublasLt.h>
#include <new>
#include <string.h>
#include <unordered_map>

/* All that the choice of an algorithm depends on. Compared by its bytes: made from zeroed memory. */
struct Key {
  int64_t m, n, k, lda, ldb, ldc;
  uint64_t workspace_bytes;
  uint16_t align_a, align_b, align_c;
  uint8_t ab_dtype, c_dtype;
  bool trans_a, trans_b, bias, accumulate;

  bool
  operator== (const Key &other) const
  {
    return memcmp (this, &other, sizeof *this) == 0;
  }
};
static_assert (sizeof (Key) == 7 * 8 + 3 * 2 + 2 + 4 + 4, "padding at the end alone");

struct KeyHash {
  size_t
  operator() (const Key &key) const
  {
    uint64_t words[sizeof key / 8], hash = 0;
    memcpy (words, &key, sizeof words);
    for (uint64_t word : words)
      {
        hash = (hash ^ word) * UINT64_C (0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
      }
    return hash;
  }
};

struct Product {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t a, b, c; /* of fen-backend.h's A, B, C */
  cublasLtMatmulAlgo_t algorithm;
  bool found;
};

struct FenCudaGemms {
  cublasLtHandle_t handle;
  std::unordered_map<Key, Product, KeyHash> products;
};

/* What NVIDIA recommends for cublasSetWorkspace: 32 MiB on Hopper and data-centre Blackwell, 12 MiB on consumer
 * Blackwell, 4 MiB before. Less makes the heuristic pass by split-K algorithms that want more. */
uint64_t
fen_cuda_gemm_workspace (const FenDeviceProperties *properties, const FenGemm *p)
{
  const int mib = properties->capability >= 120 ? 12 : properties->capability >= 90 ? 32 : 4;
  return (uint64_t)mib << 20;
}

FenCudaGemms *
fen_cuda_gemms_new (FenDevice *device, FenStatus *status)
{
  FenCudaGemms *gemms = new FenCudaGemms ();
  const cublasStatus_t error = cublasLtCreate (&gemms->handle);
  if (error == CUBLAS_STATUS_SUCCESS)
    return gemms;
  fen_cuda_status (
      status, error == CUBLAS_STATUS_ALLOC_FAILED ? FEN_STATUS_OUT_OF_MEMORY : FEN_STATUS_NO_DRIVER,
      "cuBLASLt cannot be used on %s: %s", device->properties.name, cublasLtGetStatusString (error));
  delete gemms;
  return NULL;
}

void
fen_cuda_gemms_free (FenCudaGemms *gemms)
{
  if (gemms == NULL)
    return;
  cublasLtDestroy (gemms->handle);
  delete gemms;
}

/* ---- choosing ---- */

static cudaDataType
data_type (int dtype)
{
  return dtype == FEN_BF16 ? CUDA_R_16BF : dtype == FEN_F16 ? CUDA_R_16F : CUDA_R_32F;
}

/* The largest power of two up to 256 that divides the address. */
static uint16_t
alignment (const void *pointer)
{
  const uintptr_t address = (uintptr_t)pointer | 256;
  return (uint16_t)(address & -address);
}

static Key
make_key (const FenGemm *p, uint64_t workspace_bytes)
{
  Key key;
  memset (&key, 0, sizeof key);
  key.m = p->m, key.n = p->n, key.k = p->k;
  key.lda = p->lda, key.ldb = p->ldb, key.ldc = p->ldc;
  key.workspace_bytes = workspace_bytes;
  key.align_a = alignment (p->a), key.align_b = alignment (p->b), key.align_c = alignment (p->c);
  key.ab_dtype = (uint8_t)p->ab_dtype, key.c_dtype = (uint8_t)p->c_dtype;
  key.trans_a = p->trans_a, key.trans_b = p->trans_b;
  key.bias = p->bias != NULL;
  key.accumulate = p->beta != 0;
  return key;
}

static bool
describe (const Key &key, bool tf32, Product *product)
{
  const cublasComputeType_t compute
      = key.ab_dtype == FEN_F32 && tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  const cudaDataType ab = data_type (key.ab_dtype), c = data_type (key.c_dtype);
  const cublasOperation_t first = key.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second = key.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasLtEpilogue_t epilogue = key.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  cublasLtMatmulDesc_t operation = &product->operation;
  return cublasLtMatmulDescInit (operation, compute, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS
         && cublasLtMatmulDescSetAttribute (operation, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first)
                == CUBLAS_STATUS_SUCCESS
         && cublasLtMatmulDescSetAttribute (operation, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second)
                == CUBLAS_STATUS_SUCCESS
         && cublasLtMatmulDescSetAttribute (operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                            sizeof epilogue)
                == CUBLAS_STATUS_SUCCESS
         && cublasLtMatrixLayoutInit (&product->a, ab, key.trans_a ? key.m : key.k,
                                      key.trans_a ? key.k : key.m, key.lda)
                == CUBLAS_STATUS_SUCCESS
         && cublasLtMatrixLayoutInit (&product->b, ab, key.trans_b ? key.k : key.n,
                                      key.trans_b ? key.n : key.k, key.ldb)
                == CUBLAS_STATUS_SUCCESS
         && cublasLtMatrixLayoutInit (&product->c, c, key.n, key.m, key.ldc) == CUBLAS_STATUS_SUCCESS;
}

static bool
prefer (cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, uint32_t value)
{
  return cublasLtMatmulPreferenceSetAttribute (preference, attribute, &value, sizeof value)
         == CUBLAS_STATUS_SUCCESS;
}

/* product->found tells whether there is an algorithm. */
static void
choose (FenCudaGemms *gemms, const Key &key, bool tf32, Product *product)
{
  cublasLtMatmulPreferenceOpaque_t preference;
  cublasLtMatmulHeuristicResult_t result;
  int n_results = 0;
  memset (product, 0, sizeof *product);
  if (!describe (key, tf32, product) || cublasLtMatmulPreferenceInit (&preference) != CUBLAS_STATUS_SUCCESS
      || cublasLtMatmulPreferenceSetAttribute (&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &key.workspace_bytes, sizeof key.workspace_bytes)
             != CUBLAS_STATUS_SUCCESS
      || !prefer (&preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                  CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
      || !prefer (&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.align_b)
      || !prefer (&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.align_a)
      || !prefer (&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.align_c)
      || !prefer (&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.align_c))
    return;
  const cublasStatus_t error
      = cublasLtMatmulAlgoGetHeuristic (gemms->handle, &product->operation, &product->b, &product->a,
                                        &product->c, &product->c, &preference, 1, &result, &n_results);
  if (error != CUBLAS_STATUS_SUCCESS || n_results == 0 || result.state != CUBLAS_STATUS_SUCCESS
      || result.workspaceSize > key.workspace_bytes)
    return;
  product->algorithm = result.algo;
  product->found = true;
}

/* ---- running ---- */

/* True when cuBLASLt has taken the product, or has failed at it and that is kept as the device's error. */
static bool
run (const FenCudaCall &call, const FenGemm *p, const void *bias, char *workspace, uint64_t workspace_bytes)
{
  FenCudaGemms *gemms = call.device->gemms;
  const Key key = make_key (p, workspace_bytes);
  const auto entry = gemms->products.emplace (key, Product ());
  Product *product = &entry.first->second;
  if (entry.second)
    choose (gemms, key, call.device->options.tf32, product);
  if (!product->found)
    return false;
  cublasStatus_t error = CUBLAS_STATUS_SUCCESS;
  if (bias != NULL)
    error = cublasLtMatmulDescSetAttribute (&product->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                            sizeof bias);
  if (error == CUBLAS_STATUS_SUCCESS)
    error = cublasLtMatmul (gemms->handle, &product->operation, &p->alpha, p->b, &product->b, p->a,
                            &product->a, &p->beta, p->c, &product->c, p->c, &product->c, &product->algorithm,
                            workspace, workspace_bytes, call.stream);
  call.launched ("matrix product");
  if (error != CUBLAS_STATUS_SUCCESS)
    {
      FenStatus why;
      fen_cuda_status (&why, FEN_STATUS_LAUNCH, "matrix product (%lld, %lld, %lld) on %s: cuBLASLt: %s",
                       (long long)p->m, (long long)p->n, (long long)p->k, call.device->properties.name,
                       cublasLtGetStatusString (error));
      fen_cuda_refuse (call.device, &why);
    }
  return true;
}

/* With the bias in the epilogue, whose kernels read it 16 bytes at a time: one that lies otherwise is copied to the
 * workspace's start. False when this cannot be done. */
static bool
run_with_bias (const FenCudaCall &call, const FenGemm *p, uint64_t workspace_bytes)
{
  const uint64_t bytes = (uint64_t)p->n * fen_dtype_size (p->ab_dtype), room = (bytes + 255) / 256 * 256;
  if (p->ab_dtype != p->c_dtype)
    return false;
  if (alignment (p->bias) >= 16)
    return run (call, p, p->bias, (char *)p->workspace, workspace_bytes);
  if (room > workspace_bytes / 2)
    return false;
  fen_cuda_keep (call.device,
                 cudaMemcpyAsync (p->workspace, p->bias, bytes, cudaMemcpyDeviceToDevice, call.stream),
                 "matrix product: copying the bias");
  return run (call, p, p->workspace, (char *)p->workspace + room, workspace_bytes - room);
}

/* fp32 C takes the bias before the product, which is then added; 16-bit C would be rounded twice that way. */
static bool
run_after_bias (const FenCudaCall &call, const FenGemm *p, uint64_t workspace_bytes)
{
  FenGemm added = *p;
  if (p->c_dtype != FEN_F32)
    return false;
  fen_cuda_gemm_begin (call, p);
  added.beta = 1;
  added.bias = NULL;
  if (!run (call, &added, NULL, (char *)p->workspace, workspace_bytes))
    fen_cuda_gemm_tiles (call, &added);
  return true;
}

void
fen_cuda_gemm (FenDevice *device, FenStream *stream, const FenGemm *p)
{
  const FenCudaCall call (device, stream, FEN_OP_GEMM, p);
  if (!call.ready || p->m == 0 || p->n == 0)
    return;
  const uint64_t workspace_bytes
      = p->workspace != NULL ? fen_cuda_gemm_workspace (&device->properties, p) : 0;
  if (p->k == 0)
    fen_cuda_gemm_begin (call, p);
  else if (p->bias == NULL
               ? run (call, p, NULL, (char *)p->workspace, workspace_bytes)
               : run_with_bias (call, p, workspace_bytes) || run_after_bias (call, p, workspace_bytes))
    return;
  else
    fen_cuda_gemm_tiles (call, p);
}
