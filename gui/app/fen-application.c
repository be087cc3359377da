/* fen-application.c: the life of the application: command line, what it owns, the window's comings and goings. */
#include "gui/app/fen-application-private.h"

#include <glib/gi18n.h>
#include <stdlib.h>

#include "gui/app/fen-schema.h"

G_DEFINE_FINAL_TYPE (FenApplication, fen_application, ADW_TYPE_APPLICATION)

enum { PROP_0, PROP_OWN_RUN };

static const GOptionEntry entries[] = {
  { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_ ("Print the version and exit"), NULL },
  { "config", 0, 0, G_OPTION_ARG_FILENAME, NULL, N_ ("Open with the settings of a configuration file"),
    N_ ("FILE") },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, NULL, NULL, N_ ("[RUN]") },
  { NULL },
};

FenApplication *
fen_application_new (void)
{
  return g_object_new (FEN_TYPE_APPLICATION, "application-id", FEN_APPLICATION_ID, "flags",
                       G_APPLICATION_HANDLES_COMMAND_LINE, "resource-base-path", "/org/fenestra/Fenestra",
                       NULL);
}

GSettings *
fen_application_get_gsettings (FenApplication *self)
{
  return self->gsettings;
}

FenSettings *
fen_application_get_settings (FenApplication *self)
{
  return self->settings;
}

FenSettingsFacts *
fen_application_get_facts (FenApplication *self)
{
  if (self->facts == NULL)
    self->facts = fen_settings_facts_new (self->settings);
  return self->facts;
}

FenRunStore *
fen_application_get_runs (FenApplication *self)
{
  return self->runs;
}

/* ---- what follows the preferences ---- */

static void
on_color_scheme (GSettings *gsettings, const char *key, FenApplication *self)
{
  static const AdwColorScheme schemes[]
      = { ADW_COLOR_SCHEME_DEFAULT, ADW_COLOR_SCHEME_FORCE_LIGHT, ADW_COLOR_SCHEME_FORCE_DARK };
  const int wanted = g_settings_get_enum (gsettings, FEN_KEY_COLOR_SCHEME);
  adw_style_manager_set_color_scheme (adw_application_get_style_manager (ADW_APPLICATION (self)),
                                      schemes[CLAMP (wanted, 0, (int)G_N_ELEMENTS (schemes) - 1)]);
}

static void
on_places (GSettings *gsettings, const char *key, FenApplication *self)
{
  g_auto (GStrv) places = g_settings_get_strv (gsettings, FEN_KEY_PLACES);
  fen_run_store_set_places (self->runs, (const char *const *)places);
}

/* The preference and the option `expert` are one switch. A configuration that needs the wider ranges turns the
 * preference on; turning the preference off is the only way back. */
static void
on_settings_changed (FenSettings *settings, const char *option, FenApplication *self)
{
  const FenOption *expert = fen_config_find_option ("expert");
  const gboolean set = fen_settings_get_boolean (settings, expert);
  const gboolean wanted = g_settings_get_boolean (self->gsettings, FEN_KEY_EXPERT);
  if (set && !wanted)
    g_settings_set_boolean (self->gsettings, FEN_KEY_EXPERT, TRUE);
  else if (!set && wanted && option == NULL) /* another configuration was loaded */
    fen_settings_set_boolean (settings, expert, TRUE);
  else if (!set && wanted)
    g_settings_set_boolean (self->gsettings, FEN_KEY_EXPERT, FALSE);
}

static void
on_expert (GSettings *gsettings, const char *key, FenApplication *self)
{
  const FenOption *expert = fen_config_find_option ("expert");
  const gboolean wanted = g_settings_get_boolean (gsettings, FEN_KEY_EXPERT);
  if (fen_settings_get_boolean (self->settings, expert) != wanted)
    fen_settings_set_boolean (self->settings, expert, wanted);
}

/* ---- life ---- */

/* Nothing can be shown: says why and ends. GApplication has no other way out of startup. */
static void G_GNUC_NORETURN
cannot_start (const char *why)
{
  g_printerr ("fenestra: %s\n", why);
  exit (EXIT_FAILURE);
}

static void
fen_application_startup (GApplication *application)
{
  FenApplication *self = FEN_APPLICATION (application);
  g_autoptr (GError) error = NULL;
  if (!gtk_init_check ())
    cannot_start (
        _ ("no display can be opened (WAYLAND_DISPLAY, DISPLAY); fenestra-cli trains without a window"));
  self->gsettings = fen_schema_open (&error);
  if (self->gsettings == NULL)
    cannot_start (error->message);

  g_set_prgname (FEN_APPLICATION_ID); /* what X11 and Wayland desktops find the desktop entry by */
  G_APPLICATION_CLASS (fen_application_parent_class)->startup (application);
  gtk_window_set_default_icon_name (FEN_APPLICATION_ID);

  self->settings = fen_settings_new ();
  g_autofree char *draft = g_build_filename (g_get_user_data_dir (), "fenestra", "draft.json", NULL);
  fen_settings_keep_draft (self->settings, draft);
  g_auto (GStrv) places = g_settings_get_strv (self->gsettings, FEN_KEY_PLACES);
  self->runs = fen_run_store_new ((const char *const *)places);

  g_signal_connect_object (self->gsettings, "changed::" FEN_KEY_COLOR_SCHEME, G_CALLBACK (on_color_scheme),
                           self, 0);
  g_signal_connect_object (self->gsettings, "changed::" FEN_KEY_PLACES, G_CALLBACK (on_places), self, 0);
  g_signal_connect_object (self->gsettings, "changed::" FEN_KEY_EXPERT, G_CALLBACK (on_expert), self, 0);
  g_signal_connect_object (self->settings, "changed", G_CALLBACK (on_settings_changed), self, 0);
  on_color_scheme (self->gsettings, NULL, self);
  on_settings_changed (self->settings, NULL, self);
  fen_application_add_actions (self);
  fen_application_run_watch_signals (self);
}

static FenWindow *
find_window (FenApplication *self)
{
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (self)); l != NULL; l = l->next)
    if (FEN_IS_WINDOW (l->data))
      return l->data;
  return NULL;
}

static void
fen_application_shutdown (GApplication *application)
{
  FenApplication *self = FEN_APPLICATION (application);
  FenWindow *window;
  while ((window = find_window (self)) != NULL) /* it remembers its state on its way out */
    gtk_window_destroy (GTK_WINDOW (window));
  fen_application_run_shutdown (self);
  if (self->settings != NULL)
    fen_settings_keep_draft (self->settings, NULL);
  g_settings_sync (); /* what the windows remembered on their way out */
  G_APPLICATION_CLASS (fen_application_parent_class)->shutdown (application);
}

FenWindow *
fen_application_present_window (FenApplication *self)
{
  FenWindow *window = find_window (self);
  if (window == NULL)
    window = fen_window_new (self);
  gtk_window_present (GTK_WINDOW (window));
  return window;
}

static void
fen_application_activate (GApplication *application)
{
  fen_application_present_window (FEN_APPLICATION (application));
}

/* ---- command line ---- */

static int
fen_application_handle_local_options (GApplication *application, GVariantDict *options)
{
  if (g_variant_dict_contains (options, "version"))
    {
      g_print ("fenestra %s\n", FEN_VERSION);
      return EXIT_SUCCESS;
    }
  g_autofree const char **runs = NULL;
  if (g_variant_dict_lookup (options, G_OPTION_REMAINING, "^a&ay", &runs) && runs[0] != NULL
      && runs[1] != NULL)
    {
      g_printerr ("fenestra: %s\n", _ ("one run can be shown at a time; fenestra --help lists the options"));
      return 2;
    }
  return -1; /* go on: to the first process, or to be it */
}

typedef struct {
  FenApplication *self;
  GApplicationCommandLine *line;
} FindRun;

static void
find_run_free (FindRun *find)
{
  g_application_release (G_APPLICATION (find->self));
  g_object_unref (find->self);
  g_object_unref (find->line);
  g_free (find);
}

static void
find_run_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *root = fen_runs_root (NULL);
  char *path = fen_runs_find (root, data, &error);
  if (path != NULL)
    g_task_return_pointer (task, path, g_free);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

static void
on_run_found (GObject *source, GAsyncResult *result, gpointer data)
{
  FindRun *find = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_task_propagate_pointer (G_TASK (result), &error);
  FenWindow *window = fen_application_present_window (find->self);
  if (path != NULL)
    fen_window_show_run (window, path);
  else
    {
      fen_window_show_problem (window, error->message);
      g_application_command_line_printerr (find->line, "fenestra: %s\n", error->message);
      g_application_command_line_set_exit_status (find->line, EXIT_FAILURE);
    }
  find_run_free (find);
}

/* A path is relative to the folder of whoever asked; anything else is looked up as fenestra-cli does, on a worker. The
 * other process waits for the answer, because the command line is kept until then. */
static void
show_run (FenApplication *self, GApplicationCommandLine *line, const char *run)
{
  g_autoptr (GFile) file = g_application_command_line_create_file_for_arg (line, run);
  g_autofree char *path = g_file_get_path (file);
  if (path != NULL && g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      fen_window_show_run (fen_application_present_window (self), path);
      return;
    }
  FindRun *find = g_new0 (FindRun, 1);
  find->self = g_object_ref (self);
  find->line = g_object_ref (line);
  g_application_hold (G_APPLICATION (self));
  g_autoptr (GTask) task = g_task_new (self, NULL, on_run_found, find);
  g_task_set_task_data (task, g_strdup (run), g_free);
  g_task_run_in_thread (task, find_run_thread);
}

static int
fen_application_command_line (GApplication *application, GApplicationCommandLine *line)
{
  FenApplication *self = FEN_APPLICATION (application);
  GVariantDict *options = g_application_command_line_get_options_dict (line);
  g_autofree const char **runs = NULL;
  const char *config = NULL;
  FenWindow *window = fen_application_present_window (self);
  if (g_variant_dict_lookup (options, "config", "^&ay", &config))
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GFile) file = g_application_command_line_create_file_for_arg (line, config);
      g_autofree char *path = g_file_get_path (file);
      if (!fen_settings_load (self->settings, path != NULL ? path : config, &error))
        {
          fen_window_show_problem (window, error->message);
          g_application_command_line_printerr (line, "fenestra: %s\n", error->message);
          return EXIT_FAILURE;
        }
    }
  if (g_variant_dict_lookup (options, G_OPTION_REMAINING, "^a&ay", &runs) && runs[0] != NULL)
    show_run (self, line, runs[0]);
  return EXIT_SUCCESS;
}

/* ---- object ---- */

static void
fen_application_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  if (id == PROP_OWN_RUN)
    g_value_set_object (value, FEN_APPLICATION (object)->own_run);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
fen_application_dispose (GObject *object)
{
  FenApplication *self = FEN_APPLICATION (object);
  for (gsize i = 0; i < G_N_ELEMENTS (self->signal_sources); i++)
    g_clear_handle_id (&self->signal_sources[i], g_source_remove);
  g_clear_object (&self->own_run);
  g_clear_object (&self->facts);
  g_clear_object (&self->runs);
  g_clear_object (&self->settings);
  g_clear_object (&self->gsettings);
  G_OBJECT_CLASS (fen_application_parent_class)->dispose (object);
}

static void
fen_application_class_init (FenApplicationClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GApplicationClass *application_class = G_APPLICATION_CLASS (class);
  object_class->get_property = fen_application_get_property;
  object_class->dispose = fen_application_dispose;
  application_class->startup = fen_application_startup;
  application_class->shutdown = fen_application_shutdown;
  application_class->activate = fen_application_activate;
  application_class->handle_local_options = fen_application_handle_local_options;
  application_class->command_line = fen_application_command_line;
  g_object_class_install_property (object_class, PROP_OWN_RUN,
                                   g_param_spec_object ("own-run", NULL, NULL, FEN_TYPE_RUN_SESSION,
                                                        G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
fen_application_init (FenApplication *self)
{
  GApplication *application = G_APPLICATION (self);
  g_application_add_main_option_entries (application, entries);
  g_application_set_option_context_summary (application,
                                            _ ("Trains language models on long contexts. RUN is the "
                                               "folder, id or name of a run to show, or \"last\"."));
}
