/* fen-settings-draft.c: writes the draft on a worker, since a file that must survive a crash waits for the disk.
 *
 * Writes may overtake one another (a worker that waits for its turn while the window closes), so each carries a number
 * and an older text never replaces a newer one. */
#include "gui/settings/fen-settings-draft-private.h"

#include "core/base/fen-io.h"

#include <gio/gio.h>
#include <string.h>

#define DELAY_MS 500

/* What workers share with the draft, and outlives it. */
typedef struct {
  GMutex mutex;
  char *path;
  guint written; /* number of the newest text on the disk */
} Target;

struct _FenSettingsDraft {
  Target *target; /* atomic reference count */
  guint number;   /* of the newest text */
  char *text;     /* not yet given to a worker; NULL = none */
  guint timeout;
};

typedef struct {
  Target *target;
  guint number;
  char *text;
} Write;

static void
target_clear (gpointer data)
{
  Target *target = data;
  g_mutex_clear (&target->mutex);
  g_free (target->path);
}

static void
write_free (gpointer data)
{
  Write *write = data;
  g_atomic_rc_box_release_full (write->target, target_clear);
  g_free (write->text);
  g_free (write);
}

/* A draft that cannot be written is no reason to disturb anybody. */
static void
run_write (const Write *write)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_path_get_dirname (write->target->path);
  g_mutex_lock (&write->target->mutex);
  if (write->number > write->target->written)
    {
      write->target->written = write->number;
      if (!fen_io_make_folder (folder, &error)
          || !fen_io_write_file (write->target->path, write->text, strlen (write->text), &error))
        g_debug ("draft: %s", error->message);
    }
  g_mutex_unlock (&write->target->mutex);
}

static Write *
take_write (FenSettingsDraft *draft)
{
  Write *write = g_new0 (Write, 1);
  write->target = g_atomic_rc_box_acquire (draft->target);
  write->number = draft->number;
  write->text = g_steal_pointer (&draft->text);
  return write;
}

static void
write_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  run_write (data);
  g_task_return_boolean (task, TRUE);
}

static gboolean
on_timeout (gpointer data)
{
  FenSettingsDraft *draft = data;
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);
  draft->timeout = 0;
  g_task_set_task_data (task, take_write (draft), write_free);
  g_task_run_in_thread (task, write_thread);
  return G_SOURCE_REMOVE;
}

FenSettingsDraft *
fen_settings_draft_new (const char *path)
{
  FenSettingsDraft *draft = g_new0 (FenSettingsDraft, 1);
  draft->target = g_atomic_rc_box_new0 (Target);
  g_mutex_init (&draft->target->mutex);
  draft->target->path = g_strdup (path);
  return draft;
}

void
fen_settings_draft_changed (FenSettingsDraft *draft, const FenConfig *config)
{
  g_free (draft->text);
  draft->text = fen_config_to_json (config);
  draft->number++;
  if (draft->timeout == 0)
    draft->timeout = g_timeout_add (DELAY_MS, on_timeout, draft);
}

void
fen_settings_draft_free (FenSettingsDraft *draft)
{
  g_clear_handle_id (&draft->timeout, g_source_remove);
  if (draft->text != NULL)
    {
      Write *write = take_write (draft);
      run_write (write);
      write_free (write);
    }
  g_atomic_rc_box_release_full (draft->target, target_clear);
  g_free (draft);
}
