/* fen-op-harness.h: one operation, run by a back end and by the reference on the same fresh inputs, and compared.
 *
 * A case makes tensors, fills the inputs at random and poisons the outputs (0xff: NaN in every float type), uploads,
 * runs both, and compares. Each tensor has guards of about GUARD elements on both sides; they, and whatever lies between
 * `width` and `ld` of a row, must come back bit for bit.
 *
 * Any back end: `--backend cuda` on the command line (default cpu). For the CPU back end every case runs on each
 * instruction set that the processor has and on 1 and 3 threads. `--seed N` repeats a run. A back end without a device
 * on this machine skips the whole program, in TAP's words.
 */
#pragma once

#include "kernels/fen-backend.h"
#include "kernels/reference/fen-reference.h"

#include <glib.h>

typedef struct {
  const FenBackend *backend;
  FenDevice *device;
  FenDeviceProperties properties;
  const FenBackend *reference;
  FenDevice *reference_device;
  GPtrArray *tensors; /* of the case that runs */
  GString *name;      /* of the case that runs, for messages */
  void *workspace;    /* of the last fen_op_workspace */
  guint64 workspace_bytes;
  guint64 random;
  gint64
      skew; /* of tensors made from now on: elements by which the first lies before its aligned place, 0 to 8 */
} FenOpHarness;

typedef struct {
  FenDType dtype;
  gint64 n;
  gint64 skew;
  gpointer host;   /* the reference's: n elements between two guards */
  gpointer device; /* the back end's */
  gsize bytes;     /* of all, guards included */
  gpointer before; /* host's bytes as uploaded */
} FenOpTensor;

/* |out - reference| <= absolute + relative * |reference| + one unit in the last place of 16-bit storage. One unit,
 * not half: both sides round, and may do so from different sides of a tie. */
typedef struct {
  double absolute, relative;
} FenOpTolerance;

typedef void (*FenOpCase) (FenOpHarness *harness, gconstpointer data);

/* Reads --backend and --seed and leaves the rest to g_test_init. */
void fen_op_init (int *argc, char ***argv);

/* Registers the case under /NAME for every device variant of the back end. */
void fen_op_add (const char *name, FenOpCase body, gconstpointer data);
/* The same for one variant alone, the back end's own choice: where another test asks the others. */
void fen_op_add_once (const char *name, FenOpCase body, gconstpointer data);

/* ---- inside a case ---- */

double fen_op_uniform (FenOpHarness *harness); /* [0, 1) */
double fen_op_normal (FenOpHarness *harness);

/* Poisoned; owned by the harness. */
FenOpTensor *fen_op_tensor (FenOpHarness *harness, FenDType dtype, gint64 n);
FenOpTensor *fen_op_random (FenOpHarness *harness, FenDType dtype, gint64 n, double mean, double deviation);
FenOpTensor *fen_op_integers (FenOpHarness *harness, gint64 n, gint64 low,
                              gint64 bound); /* I32, low <= x < bound */

/* Where element 0 lies for each side; NULL gives NULL. */
gpointer fen_op_host (const FenOpTensor *tensor);
gpointer fen_op_device (const FenOpTensor *tensor);

/* Copies every tensor of the case to the device. */
void fen_op_upload (FenOpHarness *harness);

/* Asserts that the back end supports the call, and gives its scratch memory, poisoned. */
gpointer fen_op_workspace (FenOpHarness *harness, FenOp op, gconstpointer params);

/* After the back end's call: waits and asserts that no launch failed. */
void fen_op_finish (FenOpHarness *harness);

/* (rows, width) with leading dimension ld, and guards and gaps; then `describe` goes on to the next tensor. */
void fen_op_compare (FenOpHarness *harness, const char *what, FenOpTensor *tensor, gint64 rows, gint64 width,
                     gint64 ld, FenOpTolerance tolerance);
/* Neither side changed it. */
void fen_op_unchanged (FenOpHarness *harness, const char *what, FenOpTensor *tensor);

double fen_op_value (FenDType dtype, gconstpointer base, gint64 i);
void fen_op_set (FenDType dtype, gpointer base, gint64 i, double value);
const char *fen_op_dtype_name (FenDType dtype);
