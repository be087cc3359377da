/* fen-config-help.c: the option table as help on a terminal and as roff for the man page. */
#include "core/config/fen-config-private.h"

#include <string.h>

#define FLAG_COLUMNS 30
#define MIN_WIDTH 60

char *
fen_option_placeholder (const FenOption *option)
{
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      return NULL;
    case FEN_OPTION_INT:
      return g_strdup ("N");
    case FEN_OPTION_DOUBLE:
      return g_strdup ("X");
    case FEN_OPTION_BYTES:
      return g_strdup ("SIZE");
    case FEN_OPTION_STRING:
      return g_strdup ("TEXT");
    case FEN_OPTION_FILE:
      return g_strdup ("PATH");
    case FEN_OPTION_CHOICE:
      return g_strjoinv ("|", (char **)option->choices);
    }
  g_return_val_if_reached (NULL);
}

/* "Default: 512. Allowed: 0 (full attention) or 256 to 8192 tokens; with --expert: 1 to ...". Text that the help
 * line already says (an empty default, a boolean's range) is left out. */
static char *
facts (const FenOption *option)
{
  GString *text = g_string_new (NULL);
  g_autofree char *allowed = fen_option_range_text (option, FALSE);
  g_autofree char *wider = fen_option_expert_text (option);
  if (option->type == FEN_OPTION_BOOLEAN)
    g_string_append_printf (text, "Default: %s.", g_str_equal (option->default_text, "true") ? "on" : "off");
  else if (option->default_text[0] != '\0')
    g_string_append_printf (text, "Default: %s.", option->default_text);
  gboolean is_text = option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE;
  if (option->type != FEN_OPTION_BOOLEAN && option->type != FEN_OPTION_CHOICE && !is_text)
    {
      g_string_append_printf (text, "%sAllowed: %s", text->len > 0 ? " " : "", allowed);
      if (wider != NULL)
        g_string_append_printf (text, "; with --expert: %s", wider);
      g_string_append_c (text, '.');
    }
  return g_string_free (text, FALSE);
}

/* Appends `text` broken at spaces, continuation lines indented by `indent`. `column` is where it starts. */
static void
append_wrapped (GString *out, const char *text, guint column, guint indent, guint width)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  gboolean first = TRUE;
  for (guint i = 0; words[i] != NULL; i++)
    {
      guint length = (guint)g_utf8_strlen (words[i], -1);
      if (!first && column + 1 + length > width)
        {
          g_string_append_printf (out, "\n%*s", (int)indent, "");
          column = indent;
          first = TRUE;
        }
      g_string_append_printf (out, "%s%s", first ? "" : " ", words[i]);
      column += length + (first ? 0 : 1);
      first = FALSE;
    }
  g_string_append_c (out, '\n');
}

static void
append_option (GString *out, const FenOption *option, guint width)
{
  g_autofree char *flag = fen_option_flag (option);
  g_autofree char *placeholder = fen_option_placeholder (option);
  g_autofree char *head = placeholder == NULL ? g_strdup_printf ("  --[no-]%s", flag + 2)
                                              : g_strdup_printf ("  %s %s", flag, placeholder);
  g_autofree char *tail = facts (option);
  g_autofree char *text = g_strjoin (tail[0] != '\0' ? " " : "", option->help, tail, NULL);
  if (strlen (head) + 2 > FLAG_COLUMNS)
    g_string_append_printf (out, "%s\n%*s", head, FLAG_COLUMNS, "");
  else
    g_string_append_printf (out, "%-*s", FLAG_COLUMNS, head);
  append_wrapped (out, text, FLAG_COLUMNS, FLAG_COLUMNS, width);
}

char *
fen_config_help (guint width, const char *const *only)
{
  GString *out = g_string_new (NULL);
  for (guint group = 0; group < FEN_N_GROUPS; group++)
    {
      gboolean titled = FALSE;
      for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
        {
          if (option->group != group || (only != NULL && !g_strv_contains (only, option->name)))
            continue;
          if (!titled)
            g_string_append_printf (out, "%s%s:\n", out->len > 0 ? "\n" : "", fen_config_group_title (group));
          titled = TRUE;
          append_option (out, option, MAX (width, MIN_WIDTH));
        }
    }
  return g_string_free (out, FALSE);
}

/* Plain text in roff: no hyphen may become a typographic one (flags are copied from man pages), and no line may
 * start like a request. */
static void
append_roff (GString *out, const char *text)
{
  if (*text == '.' || *text == '\'')
    g_string_append (out, "\\&");
  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p == '\\')
        g_string_append (out, "\\e");
      else if (*p == '-')
        g_string_append (out, "\\-");
      else
        g_string_append_c (out, *p);
    }
}

static void
append_roff_option (GString *out, const FenOption *option)
{
  g_autofree char *flag = fen_option_flag (option);
  g_autofree char *placeholder = fen_option_placeholder (option);
  g_autofree char *tail = facts (option);
  g_string_append (out, ".TP\n\\fB");
  append_roff (out, flag);
  if (placeholder == NULL)
    {
      g_string_append (out, "\\fR, \\fB\\-\\-no\\-");
      append_roff (out, flag + 2);
      g_string_append (out, "\\fR\n");
    }
  else
    {
      g_string_append (out, "\\fR \\fI");
      append_roff (out, placeholder);
      g_string_append (out, "\\fR\n");
    }
  const char *const parts[] = { option->help, option->details, tail };
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (parts[i] != NULL && parts[i][0] != '\0')
      {
        append_roff (out, parts[i]);
        g_string_append_c (out, '\n');
      }
}

char *
fen_config_roff (void)
{
  GString *out = g_string_new (NULL);
  for (guint group = 0; group < FEN_N_GROUPS; group++)
    {
      g_string_append (out, ".SS \"");
      append_roff (out, fen_config_group_title (group));
      g_string_append (out, "\"\n");
      for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
        if (option->group == group)
          append_roff_option (out, option);
    }
  return g_string_free (out, FALSE);
}
