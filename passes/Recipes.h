// Recipes: which format each part of a model gets. Every format is a recipe by itself; those of passes/Recipes.cpp mix.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace sinter {

// Names of formats, rows of dialects/Formats.h.
struct Recipe {
  llvm::StringRef name;
  llvm::StringRef summary;   // one phrase for --help
  llvm::StringRef body;      // of all matrices that nothing below names
  llvm::StringRef attention; // Q, K and V, which are one product
  llvm::StringRef down;      // what follows the activation of a feed-forward block
  llvm::StringRef embed;     // embeddings and head
};

llvm::ArrayRef<Recipe> mixedRecipes();
// Of a mixed recipe's name or a format's; nothing if it is neither.
std::optional<Recipe> findRecipe(llvm::StringRef name);
// "f32, f16, ..., q4m", for error messages.
std::string recipeNames();

} // namespace sinter
