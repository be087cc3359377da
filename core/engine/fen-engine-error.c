/* fen-engine-error.c: the room's error domain, apart so that choosing a device needs no engine. */
#include "core/engine/fen-plan.h"

typedef struct {
  const char *option; /* interned */
} FenEngineErrorPrivate;

static void
fen_engine_error_private_init (FenEngineErrorPrivate *priv)
{
  priv->option = NULL;
}

static void
fen_engine_error_private_copy (const FenEngineErrorPrivate *from, FenEngineErrorPrivate *to)
{
  to->option = from->option;
}

static void
fen_engine_error_private_clear (FenEngineErrorPrivate *priv)
{
}

G_DEFINE_EXTENDED_ERROR (FenEngineError, fen_engine_error)

const char *
fen_engine_error_get_option (const GError *error)
{
  if (error == NULL || error->domain != FEN_ENGINE_ERROR)
    return NULL;
  return fen_engine_error_get_private (error)->option;
}

gboolean
fen_engine_error_blame (GError **error, const char *option)
{
  if (error != NULL && *error != NULL && (*error)->domain == FEN_ENGINE_ERROR)
    fen_engine_error_get_private (*error)->option = g_intern_string (option);
  return FALSE;
}
