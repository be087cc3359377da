/* fen-engine-error.c: the room's error domain, apart so that choosing a device needs no engine. */
#include "core/engine/fen-plan.h"

GQuark
fen_engine_error_quark (void)
{
  return g_quark_from_static_string ("fen-engine-error-quark");
}
