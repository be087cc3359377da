/* fen-settings.c: the settings under a person's hands (see fen-settings.h).
 *
 * Two things stand beside the configuration: what was typed where it is not how the value is written (with its error,
 * when it has one), and what core/config finds in the whole. Both are made again after every change: a few dozen string
 * operations, far below a frame. */
#include "gui/settings/fen-settings.h"

#include "gui/settings/fen-settings-draft-private.h"

#include <glib/gi18n.h>

struct _FenSettings {
  GObject parent_instance;

  FenConfig *config;
  GHashTable *texts;   /* FenOption -> what was typed */
  GHashTable *errors;  /* FenOption -> what is wrong with it */
  GHashTable *values;  /* FenOption -> the value's text, made when asked for */
  GHashTable *reasons; /* FenOption -> why it has no effect, made when asked for */
  GPtrArray *findings;
  gboolean has_shape;
  FenModelShape shape;
  char *blocker;

  FenSettingsDraft *draft;
};

G_DEFINE_FINAL_TYPE (FenSettings, fen_settings, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- checks ---- */

static const FenFinding *
find (FenSettings *self, const FenOption *option, FenFindingKind kind)
{
  for (guint i = 0; i < self->findings->len; i++)
    {
      const FenFinding *finding = self->findings->pdata[i];
      if (finding->option == option && finding->kind == kind)
        return finding;
    }
  return NULL;
}

/* "Window Size: 255 cannot be used; ...": an error of one value, where its row is not beside it. */
static char *
make_blocker (FenSettings *self)
{
  const FenOption *option = NULL;
  const char *error = fen_settings_get_blocker (self, &option);
  if (error == NULL || g_hash_table_lookup (self->errors, option) == NULL)
    return g_strdup (error);
  /* TRANSLATORS: a setting's title and what is wrong with its value. */
  return g_strdup_printf (_ ("%s: %s"), _ (option->title), error);
}

static void
check (FenSettings *self)
{
  g_hash_table_remove_all (self->values);
  g_hash_table_remove_all (self->reasons);
  g_clear_pointer (&self->blocker, g_free);
  g_clear_pointer (&self->findings, g_ptr_array_unref);
  self->findings = fen_config_check (self->config, self->has_shape ? &self->shape : NULL, FEN_WORDS_TITLES);
  self->blocker = make_blocker (self);
}

static void
changed (FenSettings *self, const FenOption *option)
{
  check (self);
  if (self->draft != NULL)
    fen_settings_draft_changed (self->draft, self->config);
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0, option != NULL ? option->name : NULL);
}

/* ---- values ---- */

static gboolean
is_text (const FenOption *option)
{
  return option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE;
}

/* What an entry's text stands for. */
static const char *
meant (const FenOption *option, const char *text)
{
  g_autofree char *stripped = is_text (option) ? g_strdup (text) : g_strstrip (g_strdup (text));
  if (*stripped != '\0')
    return text;
  return option->zero_means != NULL ? "0" : option->default_text;
}

/* Tries `text` on the configuration and remembers how it went. */
static gboolean
try_text (FenSettings *self, const FenOption *option, const char *text)
{
  g_autoptr (GError) error = NULL;
  gpointer key = (gpointer)option;
  gboolean ok = fen_config_set_words (self->config, option, meant (option, text), FEN_WORDS_TITLES, &error);
  if (ok)
    g_hash_table_remove (self->errors, key);
  else
    g_hash_table_insert (self->errors, key, g_strdup (error->message));
  return ok;
}

/* `expert` widens the ranges: what was typed may be right now, and what was right may not be any more. Such a value is
 * kept as text, and the configuration gets the default, so that each of its values stays valid. */
static void
check_ranges (FenSettings *self)
{
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      const char *typed = g_hash_table_lookup (self->texts, option);
      if (g_hash_table_contains (self->errors, option))
        {
          try_text (self, option, typed);
          continue;
        }
      g_autofree char *value = fen_config_get_text (self->config, option);
      g_autoptr (GError) error = NULL;
      if (fen_config_set_words (self->config, option, value, FEN_WORDS_TITLES, &error))
        continue;
      if (typed == NULL)
        g_hash_table_insert (self->texts, (gpointer)option, g_strdup (value));
      g_hash_table_insert (self->errors, (gpointer)option, g_strdup (error->message));
      fen_config_set (self->config, option, option->default_text, NULL);
    }
}

static gboolean
is_expert (const FenOption *option)
{
  return g_str_equal (option->name, "expert");
}

/* What hangs on the value of one option. */
static void
value_changed (FenSettings *self, const FenOption *option)
{
  if (is_expert (option))
    check_ranges (self);
  /* The shape holds for what it was made from. */
  if (g_str_equal (option->name, "model") || g_str_equal (option->name, "tokenizer"))
    self->has_shape = FALSE;
}

const FenConfig *
fen_settings_get_config (FenSettings *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self), NULL);
  return self->config;
}

void
fen_settings_set_config (FenSettings *self, const FenConfig *config)
{
  g_return_if_fail (FEN_IS_SETTINGS (self) && config != NULL);
  FenConfig *copy = fen_config_copy (config);
  fen_config_free (self->config);
  self->config = copy;
  self->has_shape = FALSE;
  g_hash_table_remove_all (self->texts);
  g_hash_table_remove_all (self->errors);
  check_ranges (self);
  changed (self, NULL);
}

/* What is already so is no change: rows that write back what they were told must not go round in circles. */
static gboolean
stands_already (FenSettings *self, const FenOption *option, const char *text)
{
  return g_strcmp0 (fen_settings_get_text (self, option), text) == 0;
}

const char *
fen_settings_get_text (FenSettings *self, const FenOption *option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && option != NULL, NULL);
  const char *text = g_hash_table_lookup (self->texts, option);
  if (text == NULL)
    text = g_hash_table_lookup (self->values, option);
  if (text != NULL)
    return text;
  FenWords words = option->type == FEN_OPTION_DOUBLE ? FEN_WORDS_TITLES : FEN_WORDS_NAMES;
  char *value = fen_config_get_words (self->config, option, words);
  g_hash_table_insert (self->values, (gpointer)option, value);
  return value;
}

gboolean
fen_settings_set_text (FenSettings *self, const FenOption *option, const char *text)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && option != NULL && text != NULL, FALSE);
  g_autofree char *typed = g_utf8_make_valid (text, -1); /* it is shown again */
  if (stands_already (self, option, typed))
    return !g_hash_table_contains (self->errors, option);
  g_autofree char *before = fen_config_get_text (self->config, option);
  gboolean ok = try_text (self, option, text);
  g_autofree char *after = fen_config_get_text (self->config, option);
  g_hash_table_remove (self->values, option);
  g_hash_table_remove (self->texts, option);
  /* Only entries show what was typed: a switch or a list shows the value. */
  gboolean entry = option->type != FEN_OPTION_BOOLEAN && option->type != FEN_OPTION_CHOICE;
  if (!ok || (entry && !stands_already (self, option, typed)))
    g_hash_table_insert (self->texts, (gpointer)option, g_steal_pointer (&typed));
  if (!g_str_equal (before, after))
    value_changed (self, option);
  changed (self, is_expert (option) ? NULL : option);
  return ok;
}

void
fen_settings_set_boolean (FenSettings *self, const FenOption *option, gboolean value)
{
  g_return_if_fail (FEN_IS_SETTINGS (self) && option != NULL && option->type == FEN_OPTION_BOOLEAN);
  if (fen_settings_get_boolean (self, option) == !!value)
    return;
  fen_config_set (self->config, option, value ? "true" : "false", NULL);
  value_changed (self, option);
  changed (self, is_expert (option) ? NULL : option);
}

gboolean
fen_settings_get_boolean (FenSettings *self, const FenOption *option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && option != NULL && option->type == FEN_OPTION_BOOLEAN,
                        FALSE);
  g_autofree char *text = fen_config_get_text (self->config, option);
  return g_str_equal (text, "true");
}

void
fen_settings_reset (FenSettings *self, const FenOption *option)
{
  g_return_if_fail (FEN_IS_SETTINGS (self) && option != NULL);
  if (option->type == FEN_OPTION_BOOLEAN)
    {
      fen_settings_set_boolean (self, option, g_str_equal (option->default_text, "true"));
      return;
    }
  gboolean typed = g_hash_table_remove (self->texts, option);
  g_autofree char *value = fen_config_get_text (self->config, option);
  if (!typed && g_str_equal (value, option->default_text))
    return;
  g_hash_table_remove (self->errors, option);
  fen_config_set (self->config, option, option->default_text, NULL);
  value_changed (self, option);
  changed (self, option);
}

/* By member: what lies between them is not said. */
static gboolean
same_shape (const FenModelShape *a, const FenModelShape *b)
{
  return a->hidden == b->hidden && a->heads == b->heads && a->kv_heads == b->kv_heads
         && a->layers == b->layers && a->vocab_size == b->vocab_size && a->max_positions == b->max_positions
         && a->model_window == b->model_window && a->learned_positions == b->learned_positions;
}

void
fen_settings_set_model_shape (FenSettings *self, const FenModelShape *shape)
{
  g_return_if_fail (FEN_IS_SETTINGS (self));
  if (shape == NULL && !self->has_shape)
    return;
  if (shape != NULL && self->has_shape && same_shape (shape, &self->shape))
    return;
  self->has_shape = shape != NULL;
  if (shape != NULL)
    self->shape = *shape;
  check (self);
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0, NULL);
}

/* ---- what is wrong, what has no effect ---- */

const char *
fen_settings_get_error (FenSettings *self, const FenOption *option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && option != NULL, NULL);
  const char *error = g_hash_table_lookup (self->errors, option);
  const FenFinding *finding = find (self, option, FEN_FINDING_ERROR);
  return error != NULL ? error : finding != NULL ? finding->text : NULL;
}

const char *
fen_settings_get_inactive_reason (FenSettings *self, const FenOption *option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && option != NULL, NULL);
  const FenFinding *finding = find (self, option, FEN_FINDING_INACTIVE);
  if (finding == NULL || fen_settings_get_error (self, option) != NULL)
    return NULL;
  char *reason = g_hash_table_lookup (self->reasons, option);
  if (reason == NULL)
    {
      /* TRANSLATORS: why a setting is switched off: "No effect: Context Chunking is off". */
      reason = g_strdup_printf (_ ("No effect: %s"), finding->text);
      g_hash_table_insert (self->reasons, (gpointer)option, reason);
    }
  return reason;
}

const char *
fen_settings_get_note (FenSettings *self, const FenOption *option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && option != NULL, NULL);
  const FenFinding *finding = find (self, option, FEN_FINDING_NOTE);
  return finding != NULL && fen_settings_get_error (self, option) == NULL ? finding->text : NULL;
}

const char *
fen_settings_get_blocker (FenSettings *self, const FenOption **option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self), NULL);
  for (const FenOption *each = fen_config_options (); each->name != NULL; each++)
    {
      const char *error = fen_settings_get_error (self, each);
      if (error == NULL)
        continue;
      if (option != NULL)
        *option = each;
      return self->blocker != NULL ? self->blocker : error;
    }
  if (option != NULL)
    *option = NULL;
  return NULL;
}

/* ---- files and commands ---- */

gboolean
fen_settings_load (FenSettings *self, const char *path, GError **error)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && path != NULL, FALSE);
  g_autoptr (FenConfig) config = fen_config_new ();
  if (!fen_config_load (config, path, error))
    return FALSE;
  fen_settings_set_config (self, config);
  return TRUE;
}

/* As --save-config: what cannot run is not written, nor an old value in place of what stands in an entry. */
gboolean
fen_settings_save (FenSettings *self, const char *path, GError **error)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self) && path != NULL, FALSE);
  const char *blocker = fen_settings_get_blocker (self, NULL);
  if (blocker == NULL)
    return fen_config_save (self->config, path, error);
  g_set_error_literal (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT, blocker);
  return FALSE;
}

char *
fen_settings_command_line (FenSettings *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (self), NULL);
  return fen_config_command_line (self->config, "fenestra-cli train");
}

void
fen_settings_keep_draft (FenSettings *self, const char *path)
{
  g_return_if_fail (FEN_IS_SETTINGS (self));
  g_clear_pointer (&self->draft, fen_settings_draft_free);
  if (path == NULL)
    return;
  g_autoptr (GError) error = NULL;
  if (!fen_settings_load (self, path, &error))
    g_debug ("no draft: %s", error->message);
  self->draft = fen_settings_draft_new (path);
}

/* ---- the object ---- */

static void
fen_settings_finalize (GObject *object)
{
  FenSettings *self = FEN_SETTINGS (object);
  g_clear_pointer (&self->draft, fen_settings_draft_free);
  fen_config_free (self->config);
  g_hash_table_unref (self->texts);
  g_hash_table_unref (self->errors);
  g_hash_table_unref (self->values);
  g_hash_table_unref (self->reasons);
  g_ptr_array_unref (self->findings);
  g_free (self->blocker);
  G_OBJECT_CLASS (fen_settings_parent_class)->finalize (object);
}

static void
fen_settings_class_init (FenSettingsClass *class)
{
  G_OBJECT_CLASS (class)->finalize = fen_settings_finalize;
  signals[SIGNAL_CHANGED] = g_signal_new ("changed", FEN_TYPE_SETTINGS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
fen_settings_init (FenSettings *self)
{
  self->config = fen_config_new ();
  self->texts = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->errors = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->values = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->reasons = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  check (self);
}

FenSettings *
fen_settings_new (void)
{
  return g_object_new (FEN_TYPE_SETTINGS, NULL);
}
