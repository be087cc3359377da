/* cli-tokenize.c: text on standard input to ids, and back. */
#include "core/cli/cli.h"

#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer.h"

#define MAX_INPUT_BYTES ((gsize)1 << 30)

static FenTokenizer *
open_tokenizer (const char *name, GError **error)
{
  if (name == NULL)
    {
      g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_TYPE,
                   "--tokenizer is needed: a tokenizer.json, a folder with one, or bytes");
      return NULL;
    }
  return strcmp (name, "bytes") == 0 ? fen_tokenizer_new_bytes () : fen_tokenizer_load (name, error);
}

static gboolean
print_ids (const GArray *ids, gboolean json)
{
  g_autoptr (GString) text = g_string_new (json ? "{\"ids\": [" : "");
  for (guint i = 0; i < ids->len; i++)
    g_string_append_printf (text, "%s%u", i == 0 ? "" : json ? ", " : " ", g_array_index (ids, guint32, i));
  g_string_append (text, json ? "]}\n" : "\n");
  return cli_print (text->str, text->len);
}

static gboolean
tokenize (const char *name, gboolean special, GArray *ids, GError **error)
{
  g_autoptr (FenTokenizer) tokenizer = open_tokenizer (name, error);
  g_autoptr (GString) text = g_string_new (NULL);
  return tokenizer != NULL && cli_read_stdin (text, MAX_INPUT_BYTES, error)
         && fen_tokenizer_encode (tokenizer, text->str, text->len, special, ids, error);
}

int
cli_tokenize (int argc, char **argv)
{
  g_autofree char *name = NULL;
  gboolean json = FALSE, no_special = FALSE;
  const GOptionEntry entries[] = {
    { "tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &name, "tokenizer.json, a folder with one, or bytes",
      "FILE" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print {\"ids\": [...]}", NULL },
    { "no-special", 0, 0, G_OPTION_ARG_NONE, &no_special, "Leave out the tokens that begin and end a text",
      NULL },
    { NULL },
  };
  int exit_code;
  if (!cli_parse ("tokenize", argc, argv, entries, NULL, NULL, NULL, &exit_code))
    return exit_code;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  if (!tokenize (name, !no_special, ids, &error))
    return cli_report (error);
  return print_ids (ids, json) ? FEN_EXIT_OK : FEN_EXIT_WRITE;
}

static gboolean
fail_id (const GString *text, const char *from, GError **error)
{
  const char *end = from;
  while (end < text->str + text->len && *end != '\0' && !g_ascii_isspace (*end)
         && strchr (",[]{}", *end) == NULL)
    end++;
  g_autofree char *word = g_strndup (from, MAX (1, (gsize)(end - from)));
  g_autofree char *quoted = fen_error_quote (word);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKEN_ID,
               "standard input: %s at byte %" G_GSIZE_FORMAT " is not a token id (0 to %u)",
               from == text->str + text->len ? "the end" : quoted, (gsize)(from - text->str),
               FEN_TOKENIZER_MAX_VOCAB - 1);
  return FALSE;
}

static const char *
skip_space (const char *p)
{
  while (g_ascii_isspace (*p))
    p++;
  return p;
}

/* Behind `word`, or NULL when the text goes on otherwise. */
static const char *
expect (const char *p, const char *word)
{
  p = p != NULL ? skip_space (p) : NULL;
  return p != NULL && g_str_has_prefix (p, word) ? p + strlen (word) : NULL;
}

/* Ids separated by white space or commas; [1, 2]; or {"ids": [1, 2]}, as `tokenize --json` prints it. */
static gboolean
parse_ids (const GString *text, GArray *ids, GError **error)
{
  const char *p = skip_space (text->str);
  const gboolean object = *p == '{', list = object || *p == '[';
  if (list)
    {
      const char *first = object ? expect (expect (expect (expect (p, "{"), "\"ids\""), ":"), "[") : p + 1;
      if (first == NULL)
        return fail_id (text, p, error);
      p = first;
    }
  for (;;)
    {
      while (g_ascii_isspace (*p) || *p == ',')
        p++;
      if (!g_ascii_isdigit (*p))
        break;
      char *end;
      const guint64 value = g_ascii_strtoull (p, &end, 10);
      if (value >= FEN_TOKENIZER_MAX_VOCAB
          || (*end != '\0' && !g_ascii_isspace (*end) && strchr (",]", *end) == NULL))
        return fail_id (text, p, error);
      const guint32 id = (guint32)value;
      g_array_append_val (ids, id);
      p = end;
    }
  const char *rest = p;
  if (list)
    rest = object ? expect (expect (p, "]"), "}") : expect (p, "]");
  if (rest == NULL)
    return fail_id (text, skip_space (p), error);
  rest = skip_space (rest);
  return rest == text->str + text->len || fail_id (text, rest, error);
}

static gboolean
detokenize (const char *name, gboolean keep_special, GString *text, GError **error)
{
  g_autoptr (FenTokenizer) tokenizer = open_tokenizer (name, error);
  g_autoptr (GString) input = g_string_new (NULL);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  return tokenizer != NULL && cli_read_stdin (input, MAX_INPUT_BYTES, error) && parse_ids (input, ids, error)
         && fen_tokenizer_decode (tokenizer, (const guint32 *)(gpointer)ids->data, ids->len, !keep_special,
                                  text, error);
}

int
cli_detokenize (int argc, char **argv)
{
  g_autofree char *name = NULL;
  gboolean json = FALSE, keep_special = FALSE;
  const GOptionEntry entries[] = {
    { "tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &name, "tokenizer.json, a folder with one, or bytes",
      "FILE" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print {\"text\": \"...\"}", NULL },
    { "keep-special", 0, 0, G_OPTION_ARG_NONE, &keep_special, "Print special tokens too", NULL },
    { NULL },
  };
  int exit_code;
  if (!cli_parse ("detokenize", argc, argv, entries, NULL, NULL, NULL, &exit_code))
    return exit_code;
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  if (!detokenize (name, keep_special, text, &error))
    return cli_report (error);
  if (!json)
    return cli_print (text->str, text->len) ? FEN_EXIT_OK : FEN_EXIT_WRITE;
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_string_len (writer, "text", text->str, text->len);
  fen_json_writer_end_object (writer);
  gsize length;
  const char *line = fen_json_writer_text (writer, &length);
  return cli_print (line, length) && cli_print ("\n", 1) ? FEN_EXIT_OK : FEN_EXIT_WRITE;
}
