// The table of recipes. docs/formats.md has what each costs and gains, and which to use.

#include "passes/Recipes.h"
#include "dialects/Formats.h"

using namespace llvm;

namespace sinter {

static constexpr Recipe kMixed[] = {
    {.name = "q4m",
     .summary = "4 bits, and 6 where rounding hurts most: Q, K, V and down",
     .body = "q4",
     .attention = "q6",
     .down = "q6",
     .embed = "q6"},
};

ArrayRef<Recipe> mixedRecipes() { return kMixed; }

std::optional<Recipe> findRecipe(StringRef name) {
  for (const Recipe &recipe : kMixed)
    if (recipe.name == name)
      return recipe;
  const Format *format = findFormat(name);
  if (!format)
    return std::nullopt;
  // 4-bit bodies get 6 bits here: embedding and head are where rounding moves the logits most, and 8 bits are no better
  // (docs/formats.md) but take a quarter more to read.
  StringRef body = format->name, embed = format->isQuantized() && format->bits < 6 ? StringRef("q6") : body;
  return Recipe{.name = body, .summary = format->summary, .body = body, .attention = body, .down = body, .embed = embed};
}

std::string recipeNames() {
  std::string names = formatNames();
  for (const Recipe &recipe : kMixed)
    names += ", " + recipe.name.str();
  return names;
}

} // namespace sinter
