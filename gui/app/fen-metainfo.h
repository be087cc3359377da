/* fen-metainfo.h: reads the application's AppStream metainfo, so that the About window says what software centres say.
 *
 * Of texts that stand there in several languages (xml:lang) the person's is taken. Pure; thread-safe.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Strings are owned and never NULL. release_notes is markup of <p>, <ul> and <li>. */
typedef struct {
  char *name, *summary, *developer, *license; /* license: an SPDX identifier */
  char *version, *release_notes;              /* of the newest release, which stands first */
  char *homepage, *issues;                    /* URLs; "" when there is none */
} FenMetainfo;

/* `languages` as g_get_language_names gives them, best first. NULL with G_MARKUP_ERROR when it is no metainfo. */
FenMetainfo *fen_metainfo_parse (const char *text, gsize length, const char *const *languages,
                                 GError **error);
void fen_metainfo_free (FenMetainfo *metainfo);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenMetainfo, fen_metainfo_free)

G_END_DECLS
