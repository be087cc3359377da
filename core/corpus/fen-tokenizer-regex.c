/* fen-tokenizer-regex.c: translation from Oniguruma's Ruby syntax to PCRE2, and matching. */
#include "core/corpus/fen-tokenizer-regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "core/base/fen-error.h"
#include "core/corpus/fen-corpus-error.h"

#define MAX_PATTERN_BYTES 16384 /* the longest public one has about 500 */
#define MAX_NESTING 64
#define MATCH_LIMIT 10000000u

/* Oniguruma's \s is the property White_Space; PCRE2's adds U+180E. As members of a class: */
#define SPACES                                                                                               \
  "\\x09-\\x0d \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACES                                                                                           \
  "\\x00-\\x08\\x0e-\\x1f!-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"    \
  "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
/* and its \w is Alphabetic, M, Nd, Pc and the Latin-1 superscripts and fractions; PCRE2's is L, N, underscore. */
#define WORDS                                                                                                \
  "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}\\x{24b6}-\\x{24e9}"                 \
  "\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

struct _FenRegex {
  pcre2_code *code;
  char *where;
  gboolean looks_back;
  gboolean compiled; /* to machine code */
};

struct _FenRegexScratch {
  pcre2_match_data *match;
  pcre2_match_context *context;
  pcre2_jit_stack *stack;
};

/* The state of a translation. */
typedef struct {
  const char *at; /* the next byte to translate */
  GString *out;
  const char *whole, *where;
  guint nesting;
  gboolean looks_back;
} Translator;

static gboolean
refuse (const Translator *t, const char *what, GError **error)
{
  g_autofree char *quoted = fen_error_quote (t->whole);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED,
               "%s: the regular expression %s uses %s, which is not supported", t->where, quoted, what);
  return FALSE;
}

/* \p{...}: copied; PCRE2 says whether it knows the name. */
static gboolean
translate_property (Translator *t, GError **error)
{
  const char *end = t->at[2] == '{' ? strchr (t->at, '}') : NULL;
  if (end == NULL || end - t->at > 40)
    return refuse (t, "\\p without a name in braces", error);
  g_string_append_len (t->out, t->at, end + 1 - t->at);
  t->at = end + 1;
  return TRUE;
}

/* \xHH, \x{H...}, \uHHHH */
static gboolean
translate_number (Translator *t, GError **error)
{
  const gboolean braces = t->at[1] == 'x' && t->at[2] == '{';
  const guint most = braces ? 8 : t->at[1] == 'u' ? 4 : 2;
  const char *p = t->at + (braces ? 3 : 2);
  guint digits = 0;
  guint32 value = 0;

  for (; digits < most && g_ascii_isxdigit (*p); digits++, p++)
    value = value << 4 | (guint32)g_ascii_xdigit_value (*p);
  if (digits == 0 || (t->at[1] == 'u' && digits < 4) || (braces && *p != '}') || value > 0x10ffff)
    return refuse (t, "a malformed \\x or \\u", error);
  /* A \x80 to \xFF without braces is a raw byte in Oniguruma. */
  if (t->at[1] == 'x' && !braces && value >= 0x80)
    return refuse (t, "\\x80 to \\xFF without braces", error);
  g_string_append_printf (t->out, "\\x{%x}", value);
  t->at = p + (braces ? 1 : 0);
  return TRUE;
}

static gboolean
translate_escape (Translator *t, gboolean in_class, GError **error)
{
  const char c = t->at[1];
  const char *members = NULL;
  gboolean negated = FALSE;

  switch (c)
    {
    case 'p':
    case 'P':
      return translate_property (t, error);
    case 'x':
    case 'u':
      return translate_number (t, error);
    case 's':
      members = SPACES;
      break;
    case 'S':
      members = NOT_SPACES;
      break;
    case 'd':
      members = "\\p{Nd}";
      break;
    case 'D':
      members = "\\P{Nd}";
      break;
    case 'w':
      members = WORDS;
      break;
    case 'W':
      if (in_class)
        return refuse (t, "\\W inside brackets", error);
      members = WORDS;
      negated = TRUE;
      break;
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'e':
    case 'a':
      g_string_append_len (t->out, t->at, 2);
      break;
    case 'v':
      g_string_append (t->out, "\\x0b");
      break;
    case 'A':
      t->looks_back = TRUE;
      G_GNUC_FALLTHROUGH;
    case 'z':
      if (in_class)
        return refuse (t, "an anchor inside brackets", error);
      g_string_append_len (t->out, t->at, 2);
      break;
    default:
      if (c == '\0' || g_ascii_isalnum (c) || (guchar)c >= 0x80)
        {
          const char escape[] = { '\\', g_ascii_isprint (c) ? c : '?', '\0' };
          return refuse (t, escape, error);
        }
      g_string_append_len (t->out, t->at, 2);
    }
  if (members != NULL)
    {
      if (!in_class)
        g_string_append (t->out, negated ? "[^" : "[");
      g_string_append (t->out, members);
      if (!in_class)
        g_string_append_c (t->out, ']');
    }
  t->at += 2;
  return TRUE;
}

/* [...]. Nested sets and intersections are Oniguruma's alone. */
static gboolean
translate_class (Translator *t, GError **error)
{
  g_string_append_c (t->out, *t->at++);
  if (*t->at == '^')
    g_string_append_c (t->out, *t->at++);
  if (*t->at == ']')
    return refuse (t, "an empty pair of brackets", error);
  while (*t->at != ']')
    {
      if (*t->at == '\0')
        return refuse (t, "an unclosed bracket", error);
      if (*t->at == '[')
        return refuse (t, "a bracket inside brackets", error);
      if (t->at[0] == '&' && t->at[1] == '&')
        return refuse (t, "&& inside brackets", error);
      if (*t->at == '\\')
        {
          if (!translate_escape (t, TRUE, error))
            return FALSE;
        }
      else
        g_string_append_c (t->out, *t->at++);
    }
  g_string_append_c (t->out, *t->at++);
  return TRUE;
}

static gboolean
translate_open (Translator *t, GError **error)
{
  static const struct {
    const char *text;
    gboolean looks_back;
  } groups[] = { { "(?:", FALSE }, { "(?i:", FALSE }, { "(?=", FALSE }, { "(?!", FALSE },
                 { "(?>", FALSE }, { "(?<=", TRUE },  { "(?<!", TRUE } };

  if (++t->nesting > MAX_NESTING)
    return refuse (t, "parentheses nested too deep", error);
  if (t->at[1] != '?')
    {
      g_string_append (t->out, "(?:"); /* captures are not needed */
      t->at++;
      return TRUE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    if (g_str_has_prefix (t->at, groups[i].text))
      {
        g_string_append (t->out, groups[i].text);
        t->at += strlen (groups[i].text);
        t->looks_back |= groups[i].looks_back;
        return TRUE;
      }
  return refuse (t, "an unknown kind of group", error);
}

/* {n}, {n,}, {n,m}, {,m}; anything else in braces is literal in both. In Ruby's syntax `{n}?` and `{n,m}+` are not
 * lazy and possessive as they are in PCRE2. */
static gboolean
translate_brace (Translator *t, GError **error)
{
  const char *p = t->at + 1;
  const char *low = p, *high = NULL;

  while (g_ascii_isdigit (*p))
    p++;
  if (*p == ',')
    for (high = ++p; g_ascii_isdigit (*p);)
      p++;
  if (*p != '}' || p - t->at > 12 || (high == NULL && p == low)
      || (high != NULL && high == p && high - 1 == low))
    {
      g_string_append (t->out, "\\{");
      t->at++;
      return TRUE;
    }
  if (p[1] == '+' || (p[1] == '?' && high == NULL))
    return refuse (t, "{n}? or {n,m}+", error);
  g_string_append (t->out, *low == ',' ? "{0" : "{");
  g_string_append_len (t->out, low, p + 1 - low);
  t->at = p + 1;
  return TRUE;
}

static gboolean
translate (Translator *t, GError **error)
{
  while (*t->at != '\0')
    switch (*t->at)
      {
      case '\\':
        if (!translate_escape (t, FALSE, error))
          return FALSE;
        break;
      case '[':
        if (!translate_class (t, error))
          return FALSE;
        break;
      case '(':
        if (!translate_open (t, error))
          return FALSE;
        break;
      case '{':
        if (!translate_brace (t, error))
          return FALSE;
        break;
      case '^': /* of any line, in Ruby */
        g_string_append (t->out, "(?m:^)");
        t->looks_back = TRUE;
        t->at++;
        break;
      case '$':
        g_string_append (t->out, "(?m:$)");
        t->at++;
        break;
      case ')':
        if (t->nesting == 0)
          return refuse (t, "a parenthesis that was not opened", error);
        t->nesting--;
        G_GNUC_FALLTHROUGH;
      default:
        g_string_append_c (t->out, *t->at++);
      }
  return TRUE;
}

static void
quote (GString *out, const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    {
      if (g_ascii_ispunct (*p))
        g_string_append_c (out, '\\');
      g_string_append_c (out, *p);
    }
}

static pcre2_code *
compile (const Translator *t, GError **error)
{
  pcre2_compile_context *context = pcre2_compile_context_create (NULL);
  PCRE2_SIZE offset = 0;
  int code = 0;
  PCRE2_UCHAR message[128];

  pcre2_set_newline (context, PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit (context, 2 * MAX_NESTING);
  pcre2_code *compiled
      = pcre2_compile ((PCRE2_SPTR)t->out->str, t->out->len, PCRE2_UTF | PCRE2_UCP, &code, &offset, context);
  pcre2_compile_context_free (context);
  if (compiled == NULL)
    {
      pcre2_get_error_message (code, message, sizeof message);
      g_autofree char *quoted = fen_error_quote (t->whole);
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED, "%s: the regular expression %s: %s",
                   t->where, quoted, (const char *)message);
      return NULL;
    }
  guint32 may_be_empty = 0;
  pcre2_pattern_info (compiled, PCRE2_INFO_MATCHEMPTY, &may_be_empty);
  if (may_be_empty)
    {
      pcre2_code_free (compiled);
      refuse (t, "a match of nothing", error);
      return NULL;
    }
  return compiled;
}

FenRegex *
fen_regex_new (const char *pattern, gboolean literal, const char *where, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  Translator t = { .at = pattern, .out = out, .whole = pattern, .where = where };

  if (strlen (pattern) > MAX_PATTERN_BYTES || *pattern == '\0')
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED,
                   "%s: a pattern of %" G_GSIZE_FORMAT " bytes; 1 to %d are allowed", where, strlen (pattern),
                   MAX_PATTERN_BYTES);
      return NULL;
    }
  if (literal)
    quote (out, pattern);
  else if (!translate (&t, error))
    return NULL;
  pcre2_code *code = compile (&t, error);
  if (code == NULL)
    return NULL;

  FenRegex *regex = g_new0 (FenRegex, 1);
  regex->code = code;
  regex->where = g_strdup (where);
  regex->looks_back = t.looks_back;
  /* Where the system forbids writable code pages this fails, and the interpreter does the work. */
  regex->compiled = pcre2_jit_compile (code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) == 0;
  return regex;
}

void
fen_regex_free (FenRegex *regex)
{
  if (regex == NULL)
    return;
  pcre2_code_free (regex->code);
  g_free (regex->where);
  g_free (regex);
}

gboolean
fen_regex_looks_back (const FenRegex *regex)
{
  return regex->looks_back;
}

FenRegexScratch *
fen_regex_scratch_new (void)
{
  FenRegexScratch *scratch = g_new0 (FenRegexScratch, 1);
  scratch->match = pcre2_match_data_create (1, NULL);
  scratch->context = pcre2_match_context_create (NULL);
  scratch->stack = pcre2_jit_stack_create (32 * 1024, 1024 * 1024, NULL);
  if (scratch->stack != NULL)
    pcre2_jit_stack_assign (scratch->context, NULL, scratch->stack);
  pcre2_set_match_limit (scratch->context, MATCH_LIMIT);
  return scratch;
}

void
fen_regex_scratch_free (FenRegexScratch *scratch)
{
  if (scratch == NULL)
    return;
  pcre2_match_data_free (scratch->match);
  pcre2_match_context_free (scratch->context);
  if (scratch->stack != NULL)
    pcre2_jit_stack_free (scratch->stack);
  g_free (scratch);
}

FenRegexResult
fen_regex_find (const FenRegex *regex, FenRegexScratch *scratch, const guint8 *text, gsize bytes, gsize from,
                gboolean closed, gsize *start, gsize *end, GError **error)
{
  const guint32 partial = closed ? 0 : PCRE2_PARTIAL_HARD;
  const int rc = regex->compiled ? pcre2_jit_match (regex->code, text, bytes, from, partial, scratch->match,
                                                    scratch->context)
                                 : pcre2_match (regex->code, text, bytes, from, partial | PCRE2_NO_UTF_CHECK,
                                                scratch->match, scratch->context);
  if (rc >= 0 || rc == PCRE2_ERROR_PARTIAL)
    {
      const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer (scratch->match);
      *start = ovector[0];
      *end = ovector[1];
      return rc >= 0 ? FEN_REGEX_MATCH : FEN_REGEX_OPEN;
    }
  if (rc == PCRE2_ERROR_NOMATCH)
    return FEN_REGEX_NONE;

  PCRE2_UCHAR message[128];
  pcre2_get_error_message (rc, message, sizeof message);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_REGEX,
               "%s: the regular expression gave up on this text: %s", regex->where, (const char *)message);
  return FEN_REGEX_ERROR;
}
