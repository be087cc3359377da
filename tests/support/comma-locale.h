/* comma-locale.h: a locale that writes 8.192 and 0,5, made by the test: none may be installed.
 *
 * Both change the process's environment and locale, which no other thread may read meanwhile: the test that uses them is
 * a program's first.
 */
#pragma once

/* Makes it in `folder` and takes it for LC_NUMERIC. */
void comma_locale_begin (const char *folder);
/* Back to the C locale. */
void comma_locale_end (void);
