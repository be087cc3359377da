/* fen-tokenizer-regex.h: a pre-tokeniser's regular expression.
 *
 * A tokenizer.json has expressions for Oniguruma in its Ruby syntax; we run PCRE2 (with its compiler to machine
 * code). The two mean different things by \s, \w, \h, ^, $, {n}? and more, so an expression is translated, and
 * what has no sure translation is an error that names it. Oniguruma's syntax: its doc/RE.
 *
 * Threads: a FenRegex is immutable; a FenRegexScratch belongs to one thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _FenRegex FenRegex;
typedef struct _FenRegexScratch FenRegexScratch;

/* `where` names it in errors. With `literal`, `pattern` is the very text to find. */
FenRegex *fen_regex_new (const char *pattern, gboolean literal, const char *where, GError **error);
void fen_regex_free (FenRegex *regex);
/* TRUE when a match depends on what stands before it (look-behind, ^): such a text cannot be fed in parts. */
gboolean fen_regex_looks_back (const FenRegex *regex);

FenRegexScratch *fen_regex_scratch_new (void);
void fen_regex_scratch_free (FenRegexScratch *scratch);

typedef enum { FEN_REGEX_ERROR, FEN_REGEX_NONE, FEN_REGEX_MATCH, FEN_REGEX_OPEN } FenRegexResult;

/* The first match that starts at `from` or later in `text`, which is valid UTF-8. With `closed` FALSE, more text
 * may follow, and FEN_REGEX_OPEN says that what begins at *start depends on it. */
FenRegexResult fen_regex_find (const FenRegex *regex, FenRegexScratch *scratch, const guint8 *text,
                               gsize bytes, gsize from, gboolean closed, gsize *start, gsize *end,
                               GError **error);

G_END_DECLS
