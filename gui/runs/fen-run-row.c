/* fen-run-row.c: a row of the list of runs (see fen-run-row-private.h). */
#include "gui/runs/fen-run-row-private.h"

#include <glib/gi18n.h>
#include <string.h>

struct _FenRunRow {
  GtkWidget parent_instance;

  GtkCheckButton *check;
  GtkImage *icon;
  GtkLabel *name, *time, *status, *shown, *reason;
  GtkButton *menu;

  FenRunItem *item;
  gboolean current, selecting, attached;
};

enum { OPEN, MENU, CHECKED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (FenRunRow, fen_run_row, GTK_TYPE_WIDGET)

/* By FenRunStatus: shape first, colour second. */
static const struct {
  const char *icon, *css_class;
} looks[] = {
  { "media-playback-start-symbolic", "accent" }, { "emblem-ok-symbolic", "success" },
  { "media-playback-stop-symbolic", NULL },      { "dialog-error-symbolic", "error" },
  { "dialog-warning-symbolic", "warning" },      { "dialog-question-symbolic", "error" },
};

static char *
format_age (gint64 seconds)
{
  const gint64 age = g_get_real_time () / G_USEC_PER_SEC - seconds;
  if (seconds <= 0)
    return g_strdup ("");
  if (age < 60)
    return g_strdup (_ ("just now"));
  if (age < 3600)
    return g_strdup_printf (ngettext ("%d min ago", "%d min ago", (gulong)(age / 60)), (int)(age / 60));
  if (age < 24 * 3600)
    return g_strdup_printf (ngettext ("%d h ago", "%d h ago", (gulong)(age / 3600)), (int)(age / 3600));
  if (age < 7 * 24 * 3600)
    return g_strdup_printf (ngettext ("%d day ago", "%d days ago", (gulong)(age / 86400)),
                            (int)(age / 86400));
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (seconds);
  return time != NULL ? g_date_time_format (time, "%x") : g_strdup ("");
}

/* The list's own widget around the row is what a screen reader stops at. */
static void
update_accessible (FenRunRow *self)
{
  GtkWidget *holder = gtk_widget_get_parent (GTK_WIDGET (self));
  const char *reason
      = gtk_widget_get_visible (GTK_WIDGET (self->reason)) ? gtk_label_get_text (self->reason) : "";
  g_autofree char *label = NULL;
  if (self->item == NULL)
    return;
  /* TRANSLATORS: a row of the list of runs as a screen reader says it: name, state with last loss, time. */
  label = g_strdup_printf (_ ("%s, %s, %s"), gtk_label_get_text (self->name),
                           gtk_label_get_text (self->status), gtk_label_get_text (self->time));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->check), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  gtk_label_get_text (self->name), -1);
  if (holder == NULL)
    return;
  gtk_accessible_update_property (GTK_ACCESSIBLE (holder), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                  self->current ? gtk_label_get_text (self->shown) : reason, -1);
}

static void
set_text (GtkLabel *label, const char *text)
{
  if (g_strcmp0 (gtk_label_get_text (label), text) != 0)
    gtk_label_set_text (label, text);
}

/* Without the run's own folder in front of a file's name: the row stands for it. */
static const char *
short_reason (const FenRunInfo *info)
{
  const gsize length = strlen (info->path);
  const gboolean own = strncmp (info->reason, info->path, length) == 0 && info->reason[length] == '/';
  return own ? info->reason + length + 1 : info->reason;
}

static void
update (FenRunRow *self)
{
  if (self->item == NULL)
    return;
  const FenRunInfo *info = fen_run_item_get_info (self->item);
  const gboolean explains
      = info->reason[0] != '\0' && (info->status == FEN_RUN_DAMAGED || info->status == FEN_RUN_FAILED);
  set_text (self->name, info->name);
  set_text (self->status, fen_run_item_get_status_text (self->item));
  set_text (self->reason, explains ? short_reason (info) : "");
  gtk_widget_set_visible (GTK_WIDGET (self->reason), explains);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), info->reason[0] != '\0' ? info->reason : info->path);
  gtk_image_set_from_icon_name (self->icon, looks[info->status].icon);
  for (gsize i = 0; i < G_N_ELEMENTS (looks); i++)
    if (looks[i].css_class != NULL)
      gtk_widget_remove_css_class (GTK_WIDGET (self->icon), looks[i].css_class);
  if (looks[info->status].css_class != NULL)
    gtk_widget_add_css_class (GTK_WIDGET (self->icon), looks[info->status].css_class);
  fen_run_row_update_time (self);
}

void
fen_run_row_update_time (FenRunRow *self)
{
  if (self->item == NULL)
    return;
  const FenRunInfo *info = fen_run_item_get_info (self->item);
  g_autofree char *age = format_age (info->ended > 0 ? info->ended : info->started);
  set_text (self->time, age);
  update_accessible (self);
}

void
fen_run_row_set_item (FenRunRow *self, FenRunItem *item)
{
  if (self->item != NULL)
    g_signal_handlers_disconnect_by_func (self->item, update, self);
  g_set_object (&self->item, item);
  if (item == NULL)
    return;
  g_signal_connect_swapped (item, "changed", G_CALLBACK (update), self);
  update (self);
}

FenRunItem *
fen_run_row_get_item (FenRunRow *self)
{
  return self->item;
}

void
fen_run_row_set_current (FenRunRow *self, gboolean current)
{
  self->current = current;
  gtk_widget_set_visible (GTK_WIDGET (self->shown), current);
  if (current)
    gtk_widget_add_css_class (GTK_WIDGET (self), "current");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "current");
  update_accessible (self);
}

static void
on_check_toggled (FenRunRow *self)
{
  g_signal_emit (self, signals[CHECKED], 0, gtk_check_button_get_active (self->check));
}

void
fen_run_row_set_selecting (FenRunRow *self, gboolean selecting, gboolean checked)
{
  self->selecting = selecting;
  g_signal_handlers_block_by_func (self->check, on_check_toggled, self);
  gtk_check_button_set_active (self->check, checked);
  g_signal_handlers_unblock_by_func (self->check, on_check_toggled, self);
  gtk_widget_set_visible (GTK_WIDGET (self->check), selecting);
  gtk_widget_set_visible (GTK_WIDGET (self->menu), !selecting);
}

void
fen_run_row_get_menu_area (FenRunRow *self, GdkRectangle *area)
{
  graphene_rect_t bounds;
  *area = (GdkRectangle){ 0, 0, gtk_widget_get_width (GTK_WIDGET (self)),
                          gtk_widget_get_height (GTK_WIDGET (self)) };
  if (gtk_widget_get_mapped (GTK_WIDGET (self->menu))
      && gtk_widget_compute_bounds (GTK_WIDGET (self->menu), GTK_WIDGET (self), &bounds))
    *area = (GdkRectangle){ (int)bounds.origin.x, (int)bounds.origin.y, (int)bounds.size.width,
                            (int)bounds.size.height };
}

/* The list selects on its own; opening on a single click is ours (its single-click mode selects what the pointer
 * merely passes over). */
static void
on_clicked (FenRunRow *self, int n_press, double x, double y, GtkGestureClick *gesture)
{
  GtkWidget *holder = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));
  if (n_press == 1 && gtk_widget_contains (holder, x, y))
    g_signal_emit (self, signals[OPEN], 0);
}

static void
ask_for_menu (FenRunRow *self, GtkGesture *gesture, double x, double y)
{
  GtkWidget *holder = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));
  gtk_gesture_set_state (gesture, GTK_EVENT_SEQUENCE_CLAIMED);
  if (gtk_widget_translate_coordinates (holder, GTK_WIDGET (self), x, y, &x, &y))
    g_signal_emit (self, signals[MENU], 0, MAX ((int)x, 0), MAX ((int)y, 0));
}

static void
on_secondary_click (FenRunRow *self, int n_press, double x, double y, GtkGestureClick *gesture)
{
  ask_for_menu (self, GTK_GESTURE (gesture), x, y);
}

static void
on_long_press (FenRunRow *self, double x, double y, GtkGestureLongPress *gesture)
{
  ask_for_menu (self, GTK_GESTURE (gesture), x, y);
}

/* The whole of the list's widget around the row listens, its padding too. */
static void
attach (FenRunRow *self)
{
  GtkWidget *holder = gtk_widget_get_parent (GTK_WIDGET (self));
  if (holder == NULL || self->attached)
    return;
  self->attached = TRUE;
  GtkGesture *click = gtk_gesture_click_new (), *secondary = gtk_gesture_click_new ();
  GtkGesture *press = gtk_gesture_long_press_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (secondary), GDK_BUTTON_SECONDARY);
  gtk_gesture_single_set_touch_only (GTK_GESTURE_SINGLE (press), TRUE);
  g_signal_connect_object (click, "released", G_CALLBACK (on_clicked), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (secondary, "pressed", G_CALLBACK (on_secondary_click), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (press, "pressed", G_CALLBACK (on_long_press), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (holder, GTK_EVENT_CONTROLLER (click));
  gtk_widget_add_controller (holder, GTK_EVENT_CONTROLLER (secondary));
  gtk_widget_add_controller (holder, GTK_EVENT_CONTROLLER (press));
}

static void
root (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (fen_run_row_parent_class)->root (widget);
  attach (FEN_RUN_ROW (widget));
  update_accessible (FEN_RUN_ROW (widget));
}

static void
on_menu_clicked (FenRunRow *self)
{
  g_signal_emit (self, signals[MENU], 0, -1, -1);
}

static void
dispose (GObject *object)
{
  FenRunRow *self = FEN_RUN_ROW (object);
  fen_run_row_set_item (self, NULL);
  for (GtkWidget *child; (child = gtk_widget_get_first_child (GTK_WIDGET (self))) != NULL;)
    gtk_widget_unparent (child);
  G_OBJECT_CLASS (fen_run_row_parent_class)->dispose (object);
}

static void
fen_run_row_class_init (FenRunRowClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = dispose;
  widget_class->root = root;
  signals[OPEN]
      = g_signal_new ("open", FEN_TYPE_RUN_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[MENU] = g_signal_new ("menu", FEN_TYPE_RUN_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                2, G_TYPE_INT, G_TYPE_INT);
  signals[CHECKED] = g_signal_new ("checked", FEN_TYPE_RUN_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/fenestra/Fenestra/runs/fen-run-row.ui");
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, check);
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, icon);
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, name);
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, time);
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, status);
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, shown);
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, reason);
  gtk_widget_class_bind_template_child (widget_class, FenRunRow, menu);
}

static void
fen_run_row_init (FenRunRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect_swapped (self->check, "toggled", G_CALLBACK (on_check_toggled), self);
  g_signal_connect_swapped (self->menu, "clicked", G_CALLBACK (on_menu_clicked), self);
}

GtkWidget *
fen_run_row_new (void)
{
  return g_object_new (FEN_TYPE_RUN_ROW, NULL);
}
