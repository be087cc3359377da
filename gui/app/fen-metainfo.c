/* fen-metainfo.c: see fen-metainfo.h. A GMarkup pass that knows a handful of paths. The format:
 * https://www.freedesktop.org/software/appstream/docs/ */
#include "gui/app/fen-metainfo.h"

#include <string.h>

enum { NAME, SUMMARY, DEVELOPER, LICENSE, HOMEPAGE, ISSUES, N_TARGETS };

/* A paragraph or list item of the newest release, in the best language seen so far. Translations follow the original. */
typedef struct {
  gboolean item;
  guint rank;
  char *text;
} Note;

typedef struct {
  FenMetainfo *metainfo;
  const char *const *languages;
  GPtrArray *path; /* names of the open elements, ended by NULL */
  GString *text;   /* of the innermost open element */
  guint rank;      /* its language's */
  int target;      /* where it goes: NAME...; -1 = nowhere */
  guint best[N_TARGETS];
  guint releases; /* seen so far */
  GArray *notes;  /* of Note */
} Reader;

/* 0 is the best; G_MAXUINT for a language that was not asked for. A text without xml:lang is the original: it stands
 * behind every language that was asked for ("C", the last of the list). */
static guint
rank_of (const char *const *languages, const char *language)
{
  for (guint i = 0; language != NULL && languages[i] != NULL; i++)
    if (g_str_equal (languages[i], language))
      return i;
  return language == NULL ? G_MAXUINT - 1 : G_MAXUINT;
}

static const char *
attribute (const char **names, const char **values, const char *name)
{
  for (guint i = 0; names[i] != NULL; i++)
    if (g_str_equal (names[i], name))
      return values[i];
  return NULL;
}

static gboolean
is_at (const Reader *reader, const char *path)
{
  g_autofree char *here = g_strjoinv ("/", (char **)reader->path->pdata);
  return g_str_equal (here, path);
}

static int
target_of (const Reader *reader, const char *url_type)
{
  if (is_at (reader, "component/name"))
    return NAME;
  if (is_at (reader, "component/summary"))
    return SUMMARY;
  if (is_at (reader, "component/developer_name") || is_at (reader, "component/developer/name"))
    return DEVELOPER;
  if (is_at (reader, "component/project_license"))
    return LICENSE;
  if (is_at (reader, "component/url") && g_strcmp0 (url_type, "homepage") == 0)
    return HOMEPAGE;
  if (is_at (reader, "component/url") && g_strcmp0 (url_type, "bugtracker") == 0)
    return ISSUES;
  return -1;
}

static void
on_start (GMarkupParseContext *context, const char *element, const char **names, const char **values,
          gpointer data, GError **error)
{
  Reader *reader = data;
  g_ptr_array_insert (reader->path, (int)reader->path->len - 1, g_strdup (element));
  reader->rank = rank_of (reader->languages, attribute (names, values, "xml:lang"));
  reader->target = target_of (reader, attribute (names, values, "type"));
  g_string_truncate (reader->text, 0);
  if (is_at (reader, "component/releases/release") && ++reader->releases == 1)
    {
      const char *version = attribute (names, values, "version");
      g_free (reader->metainfo->version);
      reader->metainfo->version = g_strdup (version != NULL ? version : "");
    }
}

static void
on_text (GMarkupParseContext *context, const char *text, gsize length, gpointer data, GError **error)
{
  g_string_append_len (((Reader *)data)->text, text, (gssize)length);
}

/* Lines of the file are no lines of the text. */
static char *
squeeze (const char *text)
{
  g_auto (GStrv) words = g_strsplit_set (text, " \n\t\r", -1);
  GString *line = g_string_new (NULL);
  for (guint i = 0; words[i] != NULL; i++)
    if (words[i][0] != '\0')
      g_string_append_printf (line, "%s%s", line->len > 0 ? " " : "", words[i]);
  return g_string_free (line, FALSE);
}

static void
take_note (Reader *reader, gboolean item)
{
  Note *last = reader->notes->len > 0 ? &g_array_index (reader->notes, Note, reader->notes->len - 1) : NULL;
  if (reader->rank == G_MAXUINT - 1)
    {
      const Note note = { item, reader->rank, squeeze (reader->text->str) };
      g_array_append_val (reader->notes, note);
    }
  else if (last != NULL && reader->rank < last->rank)
    {
      g_free (last->text);
      last->text = squeeze (reader->text->str);
      last->rank = reader->rank;
    }
}

static void
on_end (GMarkupParseContext *context, const char *element, gpointer data, GError **error)
{
  Reader *reader = data;
  FenMetainfo *metainfo = reader->metainfo;
  char **const targets[N_TARGETS] = { &metainfo->name,    &metainfo->summary,  &metainfo->developer,
                                      &metainfo->license, &metainfo->homepage, &metainfo->issues };
  if (reader->target >= 0 && reader->rank < reader->best[reader->target])
    {
      reader->best[reader->target] = reader->rank;
      g_free (*targets[reader->target]);
      *targets[reader->target] = squeeze (reader->text->str);
    }
  reader->target = -1;
  if (reader->releases == 1
      && (is_at (reader, "component/releases/release/description/p")
          || is_at (reader, "component/releases/release/description/ul/li")))
    take_note (reader, g_str_equal (element, "li"));
  g_string_truncate (reader->text, 0);
  g_ptr_array_remove_index (reader->path, reader->path->len - 2);
}

static char *
notes_markup (const GArray *notes)
{
  GString *markup = g_string_new (NULL);
  for (guint i = 0; i < notes->len; i++)
    {
      const Note *note = &g_array_index (notes, Note, i);
      const gboolean first = i == 0 || !g_array_index (notes, Note, i - 1).item;
      const gboolean last = i + 1 == notes->len || !g_array_index (notes, Note, i + 1).item;
      g_autofree char *text = g_markup_escape_text (note->text, -1);
      if (note->item)
        g_string_append_printf (markup, "%s<li>%s</li>%s", first ? "<ul>" : "", text, last ? "</ul>" : "");
      else
        g_string_append_printf (markup, "<p>%s</p>", text);
    }
  return g_string_free (markup, FALSE);
}

static void
note_clear (gpointer note)
{
  g_free (((Note *)note)->text);
}

FenMetainfo *
fen_metainfo_parse (const char *text, gsize length, const char *const *languages, GError **error)
{
  static const GMarkupParser parser = { .start_element = on_start, .end_element = on_end, .text = on_text };
  g_autoptr (FenMetainfo) metainfo = g_new0 (FenMetainfo, 1);
  char **const strings[]
      = { &metainfo->name,    &metainfo->summary,       &metainfo->developer, &metainfo->license,
          &metainfo->version, &metainfo->release_notes, &metainfo->homepage,  &metainfo->issues };
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    *strings[i] = g_strdup ("");

  Reader reader = { .metainfo = metainfo, .languages = languages, .target = -1 };
  reader.path = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (reader.path, NULL);
  reader.text = g_string_new (NULL);
  reader.notes = g_array_new (FALSE, FALSE, sizeof (Note));
  g_array_set_clear_func (reader.notes, note_clear);
  for (guint i = 0; i < N_TARGETS; i++)
    reader.best[i] = G_MAXUINT;
  GMarkupParseContext *context
      = g_markup_parse_context_new (&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, &reader, NULL);
  gboolean ok = g_markup_parse_context_parse (context, text, (gssize)length, error)
                && g_markup_parse_context_end_parse (context, error);
  g_markup_parse_context_free (context);
  if (ok && metainfo->name[0] == '\0')
    {
      g_set_error_literal (error, G_MARKUP_ERROR, G_MARKUP_ERROR_EMPTY, "no metainfo: it names no component");
      ok = FALSE;
    }
  if (ok)
    {
      g_free (metainfo->release_notes);
      metainfo->release_notes = notes_markup (reader.notes);
    }
  g_array_unref (reader.notes);
  g_string_free (reader.text, TRUE);
  g_ptr_array_unref (reader.path);
  return ok ? g_steal_pointer (&metainfo) : NULL;
}

void
fen_metainfo_free (FenMetainfo *metainfo)
{
  g_free (metainfo->name);
  g_free (metainfo->summary);
  g_free (metainfo->developer);
  g_free (metainfo->license);
  g_free (metainfo->version);
  g_free (metainfo->release_notes);
  g_free (metainfo->homepage);
  g_free (metainfo->issues);
  g_free (metainfo);
}
