// From f32 rows to the packed bytes of one tile, for every format of dialects/Formats.h.
#pragma once

#include "dialects/Formats.h"

#include <cstdint>

namespace sinter {

// Packs 32 rows of `columns` floats, rows[32][columns], into format.groups(columns) blocks at `out`. The bytes depend
// on the floats alone, not on the host's instruction set.
void packTile(const Format &format, const float *rows, int64_t columns, uint8_t *out);

// The two kinds of formats; packTile chooses. Defined in QuantizeRows.cpp and PackFloats.cpp.
void quantizeTile(const Format &format, const float *rows, int64_t columns, uint8_t *out);
void packFloatTile(const Format &format, const float *rows, int64_t columns, uint8_t *out);

} // namespace sinter
