/* fen-number.c: see fen-number.h. */
#include "core/base/fen-number.h"

FenNumber
fen_number (const char *format, double value)
{
  FenNumber number;
  g_ascii_formatd (number.text, sizeof number.text, format, value);
  return number;
}
