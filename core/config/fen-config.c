#include "core/config/fen-config.h"
G_DEFINE_QUARK (fen-config-error-quark, fen_config_error)
