/* fen-window.c: the main window: its rooms put together, what it shows, and what it remembers. */
#include "gui/app/fen-window-private.h"

#include <glib/gi18n.h>

#include "gui/app/fen-schema.h"

G_DEFINE_FINAL_TYPE (FenWindow, fen_window, ADW_TYPE_APPLICATION_WINDOW)

#define SIDEBAR_WIDTH 280

/* ---- what is shown ---- */

static void
update_title (FenWindow *self)
{
  const gboolean comparing = gtk_stack_get_visible_child (self->pages) == GTK_WIDGET (self->compare_page);
  const char *name = comparing ? _ ("Compare Runs") : NULL;
  const char *subtitle = "";
  if (!comparing && self->shown != NULL)
    {
      FenTrainerStatus status;
      const FenRunInfo *info = fen_run_session_get_info (self->shown);
      fen_run_session_status (self->shown, &status);
      name = fen_run_session_get_name (self->shown);
      subtitle
          = fen_run_session_is_active (self->shown) || fen_run_session_is_own (self->shown) || info == NULL
                ? fen_phase_title (status.phase)
                : fen_run_status_title (info->status);
    }
  const gboolean has_name = name != NULL && name[0] != '\0';
  adw_window_title_set_title (self->title, has_name ? name : _ ("Fenestra"));
  adw_window_title_set_subtitle (self->title, subtitle);
  /* TRANSLATORS: the window's title in a task list. A run's name. */
  g_autofree char *title = has_name ? g_strdup_printf (_ ("%s – Fenestra"), name) : g_strdup (_ ("Fenestra"));
  if (g_strcmp0 (title, gtk_window_get_title (GTK_WINDOW (self))) != 0)
    gtk_window_set_title (GTK_WINDOW (self), title);
}

static void
on_shown_status (FenRunSession *session, FenWindow *self)
{
  update_title (self);
  fen_window_update_actions (self);
}

/* A new run's folder is made after its text was read; the sidebar marks it then. */
static void
on_shown_path (FenRunSession *session, GParamSpec *pspec, FenWindow *self)
{
  const char *path = fen_run_session_get_path (session);
  fen_runs_sidebar_set_current (self->sidebar, path);
  if (path != NULL)
    g_settings_set_string (fen_application_get_gsettings (self->application), FEN_KEY_LAST_RUN, path);
}

void
fen_window_show_session (FenWindow *self, FenRunSession *session)
{
  gtk_stack_set_visible_child (self->pages, GTK_WIDGET (self->run_page));
  if (session != self->shown)
    {
      if (self->shown != NULL)
        g_signal_handlers_disconnect_by_data (self->shown, self);
      g_set_object (&self->shown, session);
      fen_run_page_set_session (self->run_page, session);
    }
  else
    g_signal_handlers_disconnect_by_data (session, self);
  g_signal_connect (session, "status-changed", G_CALLBACK (on_shown_status), self);
  g_signal_connect (session, "notify::path", G_CALLBACK (on_shown_path), self);
  on_shown_path (session, NULL, self);
  on_shown_status (session, self);
}

void
fen_window_show_run (FenWindow *self, const char *path)
{
  FenRunSession *own = fen_application_get_own_run (self->application);
  if (self->shown != NULL && g_strcmp0 (fen_run_session_get_path (self->shown), path) == 0)
    fen_window_show_session (self, self->shown);
  else if (own != NULL && g_strcmp0 (fen_run_session_get_path (own), path) == 0)
    fen_window_show_session (self, own);
  else
    {
      g_autoptr (FenRunSession) session = fen_run_session_new_watch (path);
      fen_window_show_session (self, session);
    }
}

void
fen_window_show_problem (FenWindow *self, const char *text)
{
  gtk_label_set_text (self->problem_label, text);
  gtk_info_bar_set_revealed (self->problem_bar, TRUE);
}

static void
on_problem_response (GtkInfoBar *bar, int response, FenWindow *self)
{
  gtk_info_bar_set_revealed (bar, FALSE);
}

void
fen_window_toast (FenWindow *self, AdwToast *toast)
{
  adw_toast_overlay_add_toast (self->toasts, toast);
}

/* ---- reusing settings ---- */

static void
undo_reuse (AdwToast *toast, FenWindow *self)
{
  fen_settings_set_config (fen_application_get_settings (self->application),
                           g_object_get_data (G_OBJECT (toast), "old"));
}

void
fen_window_reuse_settings (FenWindow *self, const FenConfig *config, const char *name)
{
  FenSettings *settings = fen_application_get_settings (self->application);
  g_autoptr (FenConfig) copy = fen_config_copy (config);
  /* The name belongs to the run that has it. */
  g_free (copy->run_name);
  copy->run_name = g_strdup ("");
  /* TRANSLATORS: a toast. A run's name. */
  g_autofree char *title = g_strdup_printf (_ ("Using the settings of “%s”"), name);
  g_autofree char *markup = g_markup_escape_text (title, -1);
  AdwToast *toast = adw_toast_new (markup);
  adw_toast_set_button_label (toast, _ ("_Undo"));
  g_object_set_data_full (G_OBJECT (toast), "old", fen_config_copy (fen_settings_get_config (settings)),
                          (GDestroyNotify)fen_config_free);
  g_signal_connect_object (toast, "button-clicked", G_CALLBACK (undo_reuse), self, 0);
  fen_settings_set_config (settings, copy);
  fen_window_toast (self, toast);
}

/* ---- what is remembered ---- */

static void
restore_state (FenWindow *self)
{
  GSettings *gsettings = fen_application_get_gsettings (self->application);
  gtk_window_set_default_size (GTK_WINDOW (self), g_settings_get_int (gsettings, FEN_KEY_WINDOW_WIDTH),
                               g_settings_get_int (gsettings, FEN_KEY_WINDOW_HEIGHT));
  if (g_settings_get_boolean (gsettings, FEN_KEY_WINDOW_MAXIMIZED))
    gtk_window_maximize (GTK_WINDOW (self));
  adw_flap_set_reveal_flap (self->flap, g_settings_get_boolean (gsettings, FEN_KEY_SIDEBAR_VISIBLE));

  FenRunSession *own = fen_application_get_own_run (self->application);
  g_autofree char *last = g_settings_get_string (gsettings, FEN_KEY_LAST_RUN);
  if (own != NULL)
    fen_window_show_session (self, own);
  else if (last[0] != '\0' && g_settings_get_enum (gsettings, FEN_KEY_START_VIEW) == FEN_START_VIEW_LAST_RUN
           && g_file_test (last, G_FILE_TEST_IS_DIR))
    fen_window_show_run (self, last);
  else
    update_title (self);
}

static void
save_state (FenWindow *self)
{
  GSettings *gsettings = fen_application_get_gsettings (self->application);
  int width, height;
  gtk_window_get_default_size (GTK_WINDOW (self), &width, &height);
  g_settings_set_boolean (gsettings, FEN_KEY_WINDOW_MAXIMIZED, gtk_window_is_maximized (GTK_WINDOW (self)));
  /* The default size follows what a person does while the window is not maximised. The schema has a least size. */
  if (width > 0 && height > 0)
    {
      g_settings_set_int (gsettings, FEN_KEY_WINDOW_WIDTH, MAX (width, 360));
      g_settings_set_int (gsettings, FEN_KEY_WINDOW_HEIGHT, MAX (height, 290));
    }
  /* Folded, the flap's state is of the moment: a narrow window hides it. */
  if (!adw_flap_get_folded (self->flap))
    g_settings_set_boolean (gsettings, FEN_KEY_SIDEBAR_VISIBLE, adw_flap_get_reveal_flap (self->flap));
}

/* Keys name the axis, the charts number it; both follow FenAxis. */
static gboolean
axis_from_key (GValue *value, GVariant *variant, gpointer data)
{
  g_value_set_int (value, g_settings_get_enum (data, FEN_KEY_AXIS));
  return TRUE;
}

static GVariant *
axis_to_key (const GValue *value, const GVariantType *type, gpointer data)
{
  static const char *const names[FEN_N_AXES] = { "step", "tokens", "relative", "wall" };
  return g_variant_new_string (names[CLAMP (g_value_get_int (value), 0, FEN_N_AXES - 1)]);
}

/* The charts of both pages look as they did last. */
static void
bind_charts (FenWindow *self)
{
  GSettings *gsettings = fen_application_get_gsettings (self->application);
  FenChartGroup *groups[] = { fen_run_page_get_chart_group (self->run_page),
                              fen_compare_page_get_chart_group (self->compare_page) };
  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    {
      g_settings_bind (gsettings, FEN_KEY_SMOOTHING, groups[i], "smoothing", G_SETTINGS_BIND_DEFAULT);
      g_settings_bind_with_mapping (gsettings, FEN_KEY_AXIS, groups[i], "axis", G_SETTINGS_BIND_DEFAULT,
                                    axis_from_key, axis_to_key, gsettings, NULL);
    }
}

/* ---- life ---- */

/* Places are looked at each second only while somebody can see the list. */
static void
update_store_activity (FenWindow *self)
{
  GdkSurface *surface = gtk_native_get_surface (GTK_NATIVE (self));
  const gboolean minimized
      = surface != NULL && GDK_IS_TOPLEVEL (surface)
        && (gdk_toplevel_get_state (GDK_TOPLEVEL (surface)) & GDK_TOPLEVEL_STATE_MINIMIZED) != 0;
  fen_run_store_set_active (fen_application_get_runs (self->application),
                            gtk_widget_get_mapped (GTK_WIDGET (self)) && !minimized);
}

static void
on_surface_state (GdkSurface *surface, GParamSpec *pspec, FenWindow *self)
{
  update_store_activity (self);
}

/* For bench-startup: when the first frame is on its way to the screen. */
static void
on_after_paint (GdkFrameClock *clock, FenWindow *self)
{
  g_signal_handlers_disconnect_by_func (clock, on_after_paint, self);
  g_debug ("first frame");
}

static void
fen_window_realize (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (fen_window_parent_class)->realize (widget);
  g_signal_connect_object (gtk_native_get_surface (GTK_NATIVE (widget)), "notify::state",
                           G_CALLBACK (on_surface_state), widget, 0);
  g_signal_connect_object (gtk_widget_get_frame_clock (widget), "after-paint", G_CALLBACK (on_after_paint),
                           widget, 0);
}

static void
fen_window_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (fen_window_parent_class)->map (widget);
  update_store_activity (FEN_WINDOW (widget));
}

static void
fen_window_unmap (GtkWidget *widget)
{
  save_state (FEN_WINDOW (widget));
  GTK_WIDGET_CLASS (fen_window_parent_class)->unmap (widget);
  update_store_activity (FEN_WINDOW (widget));
}

static void
on_own_run (FenApplication *application, GParamSpec *pspec, FenWindow *self)
{
  FenRunSession *own = fen_application_get_own_run (application);
  if (own != NULL)
    fen_window_show_session (self, own);
  fen_window_update_actions (self);
}

static void
on_visible_page (GtkStack *pages, GParamSpec *pspec, FenWindow *self)
{
  update_title (self);
}

FenWindow *
fen_window_new (FenApplication *application)
{
  FenWindow *self = g_object_new (FEN_TYPE_WINDOW, "application", application, NULL);
  self->application = application;
  self->sidebar = FEN_RUNS_SIDEBAR (fen_runs_sidebar_new (fen_application_get_runs (application)));
  gtk_widget_set_size_request (GTK_WIDGET (self->sidebar), SIDEBAR_WIDTH, -1);
  gtk_widget_set_hexpand (GTK_WIDGET (self->sidebar),
                          FALSE); /* the run gets the room, whatever its rows would like */
  adw_flap_set_flap (self->flap, GTK_WIDGET (self->sidebar));
  fen_window_connect_rooms (self);
  bind_charts (self);
  fen_window_add_actions (self);
  g_signal_connect_object (application, "notify::own-run", G_CALLBACK (on_own_run), self, 0);
  if (g_str_has_suffix (FEN_APPLICATION_ID, ".Devel"))
    gtk_widget_add_css_class (GTK_WIDGET (self), "devel");
  restore_state (self);
  fen_window_update_actions (self);
  fen_window_look_for_interrupted_run (self);
  return self;
}

static void
fen_window_dispose (GObject *object)
{
  FenWindow *self = FEN_WINDOW (object);
  g_cancellable_cancel (self->cancellable);
  if (self->shown != NULL)
    g_signal_handlers_disconnect_by_data (self->shown, self);
  if (self->dialog != NULL)
    gtk_window_destroy (GTK_WINDOW (self->dialog));
  g_clear_object (&self->shown);
  g_action_map_remove_action (G_ACTION_MAP (self), "toggle-sidebar"); /* it holds the flap */
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_WINDOW);
  G_OBJECT_CLASS (fen_window_parent_class)->dispose (object);
}

static void
fen_window_finalize (GObject *object)
{
  FenWindow *self = FEN_WINDOW (object);
  g_clear_weak_pointer (&self->dialog);
  g_clear_weak_pointer (&self->question);
  g_clear_object (&self->cancellable);
  g_free (self->interrupted_path);
  G_OBJECT_CLASS (fen_window_parent_class)->finalize (object);
}

static void
fen_window_class_init (FenWindowClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  object_class->dispose = fen_window_dispose;
  object_class->finalize = fen_window_finalize;
  widget_class->realize = fen_window_realize;
  widget_class->map = fen_window_map;
  widget_class->unmap = fen_window_unmap;
  GTK_WINDOW_CLASS (class)->close_request = fen_window_close_request;
  gtk_widget_class_set_template_from_resource (widget_class, "/org/fenestra/Fenestra/app/fen-window.ui");
  gtk_widget_class_bind_template_child (widget_class, FenWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, title);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, flap);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, pages);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, start_button);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, pause_button);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, continue_button);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, stop_button);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, problem_bar);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, problem_label);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, interrupted_bar);
  gtk_widget_class_bind_template_child (widget_class, FenWindow, interrupted_label);
}

static void
fen_window_init (FenWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->cancellable = g_cancellable_new ();
  self->run_page = FEN_RUN_PAGE (fen_run_page_new ());
  gtk_stack_add_child (self->pages, GTK_WIDGET (self->run_page));
  self->compare_page = FEN_COMPARE_PAGE (fen_compare_page_new ());
  gtk_stack_add_child (self->pages, GTK_WIDGET (self->compare_page));
  g_signal_connect_object (self->pages, "notify::visible-child", G_CALLBACK (on_visible_page), self, 0);
  g_signal_connect_object (self->problem_bar, "response", G_CALLBACK (on_problem_response), self, 0);
}
