// Products of many rows by outer products of ARM's Scalable Matrix Extension.
#pragma once

#include "mlir/IR/PatternMatch.h"

namespace sinter {

// Lowers kern.tile_product.
void addSmePatterns(mlir::RewritePatternSet &patterns);

// Assembly that such code needs in its image.
extern const char kSmeSupport[];

} // namespace sinter
