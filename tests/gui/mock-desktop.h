/* mock-desktop.h: the two services of a desktop that the application talks to: who holds off logout and suspend
 * (org.gnome.SessionManager) and who shows notifications (org.freedesktop.Notifications).
 *
 * They live on a thread and a connection of their own: GTK waits for the session manager's answer on the main thread. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct {
  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;
  GDBusConnection *bus;
  GMutex mutex;
  GCond ready;
  gboolean is_up;
  /* under the mutex */
  guint n_calls, cookie,
      flags; /* calls of Inhibit; the cookie and the flags of what holds now, 0: nothing does */
  char *reason;
  guint n_notifications;
  char *summary, *body; /* of the last notification */
} MockDesktop;

static const char mock_interfaces[]
    = "<node><interface name='org.gnome.SessionManager'>"
      "<method name='RegisterClient'><arg type='s' direction='in'/><arg type='s' direction='in'/>"
      "<arg type='o' direction='out'/></method>"
      "<method name='Inhibit'><arg type='s' direction='in'/><arg type='u' direction='in'/>"
      "<arg type='s' direction='in'/><arg type='u' direction='in'/><arg type='u' direction='out'/></method>"
      "<method name='Uninhibit'><arg type='u' direction='in'/></method></interface>"
      "<interface name='org.freedesktop.Notifications'>"
      "<method name='Notify'><arg type='s' direction='in'/><arg type='u' direction='in'/>"
      "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>"
      "<arg type='as' direction='in'/><arg type='a{sv}' direction='in'/><arg type='i' direction='in'/>"
      "<arg type='u' direction='out'/></method>"
      "<method name='CloseNotification'><arg type='u' direction='in'/></method>"
      "<signal name='ActionInvoked'><arg type='u'/><arg type='s'/></signal></interface></node>";

static inline void
mock_desktop_call (GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                   const char *method, GVariant *arguments, GDBusMethodInvocation *invocation, gpointer data)
{
  MockDesktop *self = (MockDesktop *)data;
  GVariant *answer = NULL;
  g_mutex_lock (&self->mutex);
  if (g_str_equal (method, "Inhibit"))
    {
      g_free (self->reason);
      g_variant_get (arguments, "(susu)", NULL, NULL, &self->reason, &self->flags);
      self->cookie = 40 + ++self->n_calls;
      answer = g_variant_new ("(u)", self->cookie);
    }
  else if (g_str_equal (method, "Uninhibit"))
    {
      guint cookie;
      g_variant_get (arguments, "(u)", &cookie);
      if (cookie == self->cookie)
        self->cookie = self->flags = 0;
    }
  else if (g_str_equal (method, "Notify"))
    {
      g_free (self->summary);
      g_free (self->body);
      g_variant_get (arguments, "(susss@as@a{sv}i)", NULL, NULL, NULL, &self->summary, &self->body, NULL,
                     NULL, NULL);
      answer = g_variant_new ("(u)", ++self->n_notifications);
    }
  else if (g_str_equal (method, "RegisterClient"))
    answer = g_variant_new ("(o)", "/org/gnome/SessionManager/Client1");
  g_mutex_unlock (&self->mutex);
  g_dbus_method_invocation_return_value (invocation, answer);
}

static inline void
mock_desktop_serve (MockDesktop *self, GDBusNodeInfo *node, const char *name, const char *path)
{
  static const GDBusInterfaceVTable table = { .method_call = mock_desktop_call };
  g_autoptr (GError) error = NULL;
  g_dbus_connection_register_object (self->bus, path, g_dbus_node_info_lookup_interface (node, name), &table,
                                     self, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GVariant) answer = g_dbus_connection_call_sync (
      self->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
      g_variant_new ("(su)", name, 0), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
  g_assert_no_error (error);
  guint32 owned = 0;
  g_variant_get (answer, "(u)", &owned);
  g_assert_cmpuint (owned, ==, 1); /* primary owner */
}

static inline gpointer
mock_desktop_run (gpointer data)
{
  MockDesktop *self = (MockDesktop *)data;
  g_autoptr (GError) error = NULL;
  g_autofree char *address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SESSION, NULL, &error);
  g_assert_no_error (error);
  g_main_context_push_thread_default (self->context);
  self->bus = g_dbus_connection_new_for_address_sync (
      address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (mock_interfaces, &error);
  g_assert_no_error (error);
  mock_desktop_serve (self, node, "org.gnome.SessionManager", "/org/gnome/SessionManager");
  mock_desktop_serve (self, node, "org.freedesktop.Notifications", "/org/freedesktop/Notifications");
  g_mutex_lock (&self->mutex);
  self->is_up = TRUE;
  g_cond_signal (&self->ready);
  g_mutex_unlock (&self->mutex);
  g_main_loop_run (self->loop);
  g_dbus_connection_close_sync (self->bus, NULL, NULL);
  g_clear_object (&self->bus);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

/* Up when it returns. */
static inline void
mock_desktop_start (MockDesktop *self)
{
  *self = (MockDesktop){ .context = g_main_context_new () };
  self->loop = g_main_loop_new (self->context, FALSE);
  g_mutex_init (&self->mutex);
  g_cond_init (&self->ready);
  self->thread = g_thread_new ("mock-desktop", mock_desktop_run, self);
  g_mutex_lock (&self->mutex);
  while (!self->is_up)
    g_cond_wait (&self->ready, &self->mutex);
  g_mutex_unlock (&self->mutex);
}

static inline void
mock_desktop_stop (MockDesktop *self)
{
  g_main_loop_quit (self->loop);
  g_thread_join (self->thread);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_free (self->reason);
  g_free (self->summary);
  g_free (self->body);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->ready);
}

/* What holds off the end of the session now: GtkApplicationInhibitFlags, 0 for nothing. */
static inline guint
mock_desktop_inhibited (MockDesktop *self)
{
  g_mutex_lock (&self->mutex);
  const guint flags = self->flags;
  g_mutex_unlock (&self->mutex);
  return flags;
}

static inline guint
mock_desktop_n_notifications (MockDesktop *self)
{
  g_mutex_lock (&self->mutex);
  const guint n = self->n_notifications;
  g_mutex_unlock (&self->mutex);
  return n;
}

/* The person presses the last notification. */
static inline void
mock_desktop_press_notification (MockDesktop *self)
{
  g_autoptr (GError) error = NULL;
  g_dbus_connection_emit_signal (self->bus, NULL, "/org/freedesktop/Notifications",
                                 "org.freedesktop.Notifications", "ActionInvoked",
                                 g_variant_new ("(us)", self->n_notifications, "default"), &error);
  g_assert_no_error (error);
}

G_END_DECLS
