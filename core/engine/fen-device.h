/* fen-device.h: which device a run uses, and why.
 *
 * One place turns the option `device` (auto, cpu, cuda, cuda:N) into a back end and an index, for the trainer, the
 * planner, text generation, `fenestra-cli info` and the window. `auto` takes the first GPU that works and otherwise
 * the CPU, saying why; `cuda` never falls back silently.
 *
 * Threads: reentrant.
 */
#pragma once

#include "core/engine/fen-plan.h"

G_BEGIN_DECLS

typedef struct {
  const FenBackend *backend;
  int index; /* of the back end's devices */
  FenDeviceOptions options;
  FenDeviceProperties properties;
} FenDeviceChoice;

/* Chooses by config->device and config->threads without opening anything. `notes` (char *, may be NULL) receives why
 * `auto` did not take a GPU. FEN_ENGINE_ERROR_DEVICE (_LOST: only a new process can use
 * it) names the device asked for, the reason and what is there. */
gboolean fen_device_choose (const FenConfig *config, FenDeviceChoice *choice, GPtrArray *notes, GError **error);

/* What a run may take of it: the smaller of what is free (all of it where that is not known) and `memory_limit` (0 =
 * none), less what the device itself will take. G_MAXUINT64: not known. */
guint64 fen_device_available_bytes (const FenDeviceProperties *device, guint64 memory_limit);

/* Opens the chosen device; close it with choice->backend->close. */
FenDevice *fen_device_open (const FenDeviceChoice *choice, GError **error);

/* One back end of this build. When it has no device, `reason` says why. */
typedef struct {
  const char *name;
  int n_devices;
  char reason[480];
} FenBackendInfo;

/* All back ends that this program knows, in the order that `auto` tries them. Ends with name NULL. */
typedef struct {
  FenBackendInfo backends[4];
} FenBackendList;
void fen_device_list (FenBackendList *list);

G_END_DECLS
