/* fen-reference.h: the back end that the others are compared with.
 *
 * Every operation of fen-backend.h for every storage type (F64 included), in double precision, one obvious loop
 * after the other, without a thought for speed and without a line shared with another back end. Tests alone link it.
 */
#pragma once

#include "kernels/fen-backend.h"

const FenBackend *fen_backend_reference (void);
