/* fen-schema.c: see fen-schema.h. */
#include "gui/app/fen-schema.h"

#include "core/train/fen-run-folder.h"
#include "gui/app/fen-places.h"

static const char *const keys[] = { FEN_KEY_WINDOW_WIDTH,    FEN_KEY_WINDOW_HEIGHT, FEN_KEY_WINDOW_MAXIMIZED,
                                    FEN_KEY_SIDEBAR_VISIBLE, FEN_KEY_COLOR_SCHEME,  FEN_KEY_START_VIEW,
                                    FEN_KEY_NOTIFY,          FEN_KEY_EXPERT,        FEN_KEY_PLACES,
                                    FEN_KEY_SMOOTHING,       FEN_KEY_AXIS,          FEN_KEY_LAST_RUN,
                                    FEN_KEY_OWN_RUN };

/* A schema of an older installation may be found first; reading a key that it lacks would abort. */
static gboolean
has_all_keys (GSettingsSchema *schema)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (!g_settings_schema_has_key (schema, keys[i]))
      return FALSE;
  return TRUE;
}

/* Takes the source. */
static GSettingsSchema *
look_up (GSettingsSchemaSource *source)
{
  if (source == NULL)
    return NULL;
  GSettingsSchema *schema = g_settings_schema_source_lookup (source, FEN_APPLICATION_ID, FALSE);
  g_settings_schema_source_unref (source);
  if (schema != NULL && !has_all_keys (schema))
    g_clear_pointer (&schema, g_settings_schema_unref);
  return schema;
}

static GSettingsSchema *
look_up_in_folder (const char *folder)
{
  if (folder == NULL)
    return NULL;
  /* No file, or a damaged one, is the same to us: the next place is asked. */
  return look_up (g_settings_schema_source_new_from_directory (folder, NULL, TRUE, NULL));
}

static GSettingsSchema *
look_up_by_default (void)
{
  GSettingsSchemaSource *source = g_settings_schema_source_get_default ();
  if (source == NULL)
    return NULL;
  GSettingsSchema *schema = g_settings_schema_source_lookup (source, FEN_APPLICATION_ID, TRUE);
  if (schema != NULL && !has_all_keys (schema))
    g_clear_pointer (&schema, g_settings_schema_unref);
  return schema;
}

GSettings *
fen_schema_open (GError **error)
{
  g_autofree char *built = fen_places_in_build_tree () ? fen_places_build_folder ("data") : NULL;
  g_autofree char *beside = fen_places_beside_program ("share/glib-2.0/schemas");
  GSettingsSchema *schema = look_up_in_folder (built);
  if (schema == NULL)
    schema = look_up_in_folder (beside);
  if (schema == NULL)
    schema = look_up_by_default ();
  if (schema == NULL)
    {
      g_set_error (
          error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
          "the settings schema %s is not installed, or is an older version's; install Fenestra completely "
          "(meson install), or name the folder of its gschemas.compiled in GSETTINGS_SCHEMA_DIR",
          FEN_APPLICATION_ID);
      return NULL;
    }
  GSettings *settings = g_settings_new_full (schema, NULL, NULL);
  g_settings_schema_unref (schema);
  return settings;
}

void
fen_schema_add_place (GSettings *gsettings, const char *path)
{
  g_auto (GStrv) places = g_settings_get_strv (gsettings, FEN_KEY_PLACES);
  g_autofree char *root = fen_runs_root (NULL);
  if (g_str_equal (path, root) || g_strv_contains ((const char *const *)places, path)
      || !g_utf8_validate (path, -1, NULL))
    return;
  g_autoptr (GStrvBuilder) more = g_strv_builder_new ();
  g_strv_builder_addv (more, (const char **)places);
  g_strv_builder_add (more, path);
  g_auto (GStrv) strv = g_strv_builder_end (more);
  g_settings_set_strv (gsettings, FEN_KEY_PLACES, (const char *const *)strv);
}
