/* fen-settings-facts.c: looks at the settings on workers and keeps what they found (see fen-settings-facts.h).
 *
 * Two looks go on side by side, since a plan takes milliseconds and a dataset may take minutes: one at device, model and
 * memory, which every change makes anew, and one at the text, made anew only when the text or its tokenizer changes.
 *
 *   change -> 150 ms of quiet -> worker -> its result, unless something changed meanwhile -> "changed"
 *
 * A worker knows this object by a weak reference and its look by its cancellable: whoever comes too late finds either
 * one gone. */
#include "gui/settings/fen-settings-facts.h"

#include "gui/settings/fen-settings-look-private.h"

#define QUIET_MS 150

struct _FenSettingsFacts {
  GObject parent_instance;

  FenSettings *settings;
  gulong handler;
  guint timeout;

  GCancellable *planning; /* the running look at the plan, NULL = none */
  char *planned;          /* the configuration that the look or its result is about */
  FenPlanLook *plan;      /* NULL = not known yet */

  GCancellable *scanning;
  char *scanned; /* key of the text that the look or its result is about */
  FenTextLook *text;
  char *text_words;
};

G_DEFINE_FINAL_TYPE (FenSettingsFacts, fen_settings_facts, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

static void
changed (FenSettingsFacts *self)
{
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

static void
stop (GCancellable **look)
{
  if (*look != NULL)
    g_cancellable_cancel (*look);
  g_clear_object (look);
}

/* ---- a look on a worker ---- */

typedef struct {
  GWeakRef facts;
  GCancellable *cancellable;
  FenConfig *config;
} Look;

static Look *
look_new (FenSettingsFacts *self, GCancellable *cancellable, const FenConfig *config)
{
  Look *look = g_atomic_rc_box_new0 (Look);
  g_weak_ref_init (&look->facts, self);
  look->cancellable = g_object_ref (cancellable);
  look->config = fen_config_copy (config);
  return look;
}

static void
look_clear (gpointer data)
{
  Look *look = data;
  g_weak_ref_clear (&look->facts);
  g_object_unref (look->cancellable);
  fen_config_free (look->config);
}

static void
look_release (gpointer data)
{
  g_atomic_rc_box_release_full (data, look_clear);
}

/* ---- device, model, memory ---- */

static void
plan_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Look *look = data;
  FenPlanLook *found = g_cancellable_is_cancelled (cancellable) ? NULL : fen_plan_look_new (look->config);
  g_task_return_pointer (task, found, (GDestroyNotify)fen_plan_look_free);
}

static void
on_plan (GObject *source, GAsyncResult *result, gpointer data)
{
  Look *look = data;
  FenPlanLook *found = g_task_propagate_pointer (G_TASK (result), NULL);
  g_autoptr (FenSettingsFacts) self = g_weak_ref_get (&look->facts);
  if (self == NULL || found == NULL || self->planning != look->cancellable)
    fen_plan_look_free (found);
  else
    {
      g_clear_object (&self->planning);
      g_clear_pointer (&self->plan, fen_plan_look_free);
      self->plan = found;
      changed (self);
      /* It may emit "changed" of the settings, for whom the configuration is the same: no new look. */
      if (self->plan == found)
        fen_settings_set_model_shape (self->settings, found->has_shape ? &found->shape : NULL);
    }
  look_release (look);
}

static void
look_at_plan (FenSettingsFacts *self)
{
  self->planning = g_cancellable_new ();
  Look *look = look_new (self, self->planning, fen_settings_get_config (self->settings));
  g_autoptr (GTask) task = g_task_new (NULL, self->planning, on_plan, g_atomic_rc_box_acquire (look));
  g_task_set_check_cancellable (task, FALSE); /* on_plan must run: it has a reference to give back */
  g_task_set_task_data (task, look, look_release);
  g_task_run_in_thread (task, plan_thread);
}

/* ---- text ---- */

static void
set_text (FenSettingsFacts *self, const FenDatasetScan *scan)
{
  g_clear_pointer (&self->text_words, g_free);
  if (scan->bytes > 0)
    self->text_words = fen_text_look_describe (scan);
}

typedef struct {
  Look *look;
  FenDatasetScan scan;
} Progress;

static void
progress_free (gpointer data)
{
  Progress *progress = data;
  look_release (progress->look);
  g_free (progress);
}

static gboolean
on_progress (gpointer data)
{
  Progress *progress = data;
  g_autoptr (FenSettingsFacts) self = g_weak_ref_get (&progress->look->facts);
  if (self != NULL && self->scanning == progress->look->cancellable)
    {
      set_text (self, &progress->scan);
      changed (self);
    }
  return G_SOURCE_REMOVE;
}

/* On the worker. Not g_main_context_invoke(): while nobody runs the main loop it takes the context for itself and calls
 * the function at once, here, and then widgets would change under the main thread's hands. */
static void
send_progress (const FenDatasetScan *scan, gpointer data)
{
  Progress *progress = g_new0 (Progress, 1);
  progress->look = g_atomic_rc_box_acquire (data);
  progress->scan = *scan;
  g_idle_add_full (G_PRIORITY_DEFAULT, on_progress, progress, progress_free);
}

static void
text_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Look *look = data;
  g_task_return_pointer (task, fen_text_look_new (look->config, send_progress, look, cancellable),
                         (GDestroyNotify)fen_text_look_free);
}

static void
on_text (GObject *source, GAsyncResult *result, gpointer data)
{
  Look *look = data;
  FenTextLook *found = g_task_propagate_pointer (G_TASK (result), NULL);
  g_autoptr (FenSettingsFacts) self = g_weak_ref_get (&look->facts);
  if (self == NULL || found == NULL || self->scanning != look->cancellable)
    fen_text_look_free (found);
  else
    {
      g_clear_object (&self->scanning);
      self->text = found;
      set_text (self, &found->scan);
      changed (self);
    }
  look_release (look);
}

static void
look_at_text (FenSettingsFacts *self)
{
  self->scanning = g_cancellable_new ();
  Look *look = look_new (self, self->scanning, fen_settings_get_config (self->settings));
  g_autoptr (GTask) task = g_task_new (NULL, self->scanning, on_text, g_atomic_rc_box_acquire (look));
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, look, look_release);
  g_task_run_in_thread (task, text_thread);
}

/* ---- when ---- */

static gboolean
on_quiet (gpointer data)
{
  FenSettingsFacts *self = data;
  self->timeout = 0;
  if (self->planning == NULL)
    look_at_plan (self);
  g_autofree char *key = fen_text_look_key (fen_settings_get_config (self->settings));
  if (g_strcmp0 (key, self->scanned) != 0)
    {
      g_free (self->scanned);
      self->scanned = g_steal_pointer (&key);
      look_at_text (self);
    }
  return G_SOURCE_REMOVE;
}

/* What is known of another text is told no longer. */
static void
forget_text (FenSettingsFacts *self)
{
  stop (&self->scanning);
  g_clear_pointer (&self->scanned, g_free);
  g_clear_pointer (&self->text, fen_text_look_free);
  g_clear_pointer (&self->text_words, g_free);
}

static void
start (FenSettingsFacts *self, guint delay_ms)
{
  stop (&self->planning);
  g_clear_handle_id (&self->timeout, g_source_remove);
  self->timeout = g_timeout_add (delay_ms, on_quiet, self);
  changed (self);
}

static void
on_settings_changed (FenSettings *settings, const char *option, FenSettingsFacts *self)
{
  const FenConfig *config = fen_settings_get_config (settings);
  g_autofree char *all = fen_config_to_json (config);
  g_autofree char *key = fen_text_look_key (config);
  if (g_str_equal (all, self->planned))
    return; /* something was typed that is not valid */
  g_free (self->planned);
  self->planned = g_steal_pointer (&all);
  if (g_strcmp0 (key, self->scanned) != 0)
    forget_text (self);
  start (self, QUIET_MS);
}

void
fen_settings_facts_refresh (FenSettingsFacts *self)
{
  g_return_if_fail (FEN_IS_SETTINGS_FACTS (self));
  forget_text (self);
  start (self, 0);
}

/* ---- what is known ---- */

gboolean
fen_settings_facts_is_busy (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), FALSE);
  return self->timeout != 0 || self->planning != NULL;
}

gboolean
fen_settings_facts_is_scanning (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), FALSE);
  return self->text == NULL;
}

FenPlan *
fen_settings_facts_get_plan (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  return self->plan != NULL ? self->plan->plan : NULL;
}

const char *
fen_settings_facts_get_plan_error (FenSettingsFacts *self, const FenOption **option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  const char *error = self->plan != NULL ? self->plan->plan_error : NULL;
  const FenOption *blamed = error != NULL ? self->plan->blamed : NULL;
  if (error == NULL && self->text != NULL && self->text->tokenizer_error != NULL)
    {
      error = self->text->tokenizer_error;
      blamed = fen_config_find_option ("tokenizer");
    }
  if (option != NULL)
    *option = blamed;
  return error;
}

gboolean
fen_settings_facts_get_device (FenSettingsFacts *self, guint64 *available, guint64 *total, gboolean *is_cpu)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), FALSE);
  if (self->plan == NULL || !self->plan->has_device)
    return FALSE;
  if (available != NULL)
    *available = self->plan->available;
  if (total != NULL)
    *total = self->plan->total;
  if (is_cpu != NULL)
    *is_cpu = self->plan->is_cpu;
  return TRUE;
}

const char *
fen_settings_facts_get_device_name (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  return self->plan != NULL ? self->plan->device_name : NULL;
}

int
fen_settings_facts_get_n_cards (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), 0);
  return self->plan != NULL ? self->plan->n_cards : 0;
}

const GPtrArray *
fen_settings_facts_get_notes (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  return self->plan != NULL ? self->plan->notes : NULL;
}

const char *
fen_settings_facts_get_model_text (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  return self->plan != NULL ? self->plan->model_text : NULL;
}

const char *
fen_settings_facts_get_model_error (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  return self->plan != NULL ? self->plan->model_error : NULL;
}

const char *
fen_settings_facts_get_dataset_text (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  return self->text_words;
}

const char *
fen_settings_facts_get_dataset_error (FenSettingsFacts *self)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (self), NULL);
  return self->text != NULL ? self->text->error : NULL;
}

/* ---- the object ---- */

static void
fen_settings_facts_dispose (GObject *object)
{
  FenSettingsFacts *self = FEN_SETTINGS_FACTS (object);
  stop (&self->planning);
  stop (&self->scanning);
  g_clear_handle_id (&self->timeout, g_source_remove);
  if (self->settings != NULL)
    g_clear_signal_handler (&self->handler, self->settings);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (fen_settings_facts_parent_class)->dispose (object);
}

static void
fen_settings_facts_finalize (GObject *object)
{
  FenSettingsFacts *self = FEN_SETTINGS_FACTS (object);
  g_free (self->planned);
  g_free (self->scanned);
  g_free (self->text_words);
  fen_plan_look_free (self->plan);
  fen_text_look_free (self->text);
  G_OBJECT_CLASS (fen_settings_facts_parent_class)->finalize (object);
}

static void
fen_settings_facts_class_init (FenSettingsFactsClass *class)
{
  G_OBJECT_CLASS (class)->dispose = fen_settings_facts_dispose;
  G_OBJECT_CLASS (class)->finalize = fen_settings_facts_finalize;
  signals[SIGNAL_CHANGED] = g_signal_new ("changed", FEN_TYPE_SETTINGS_FACTS, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 0);
}

static void
fen_settings_facts_init (FenSettingsFacts *self)
{
}

FenSettingsFacts *
fen_settings_facts_new (FenSettings *settings)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (settings), NULL);
  FenSettingsFacts *self = g_object_new (FEN_TYPE_SETTINGS_FACTS, NULL);
  self->settings = g_object_ref (settings);
  self->planned = fen_config_to_json (fen_settings_get_config (settings));
  self->handler = g_signal_connect (settings, "changed", G_CALLBACK (on_settings_changed), self);
  start (self, 0);
  return self;
}
