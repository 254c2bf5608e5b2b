// sinter embed: texts to vectors, by an encoder. JSON or .npy for programs; the angles between the texts for people.

#include "tools/Commands.h"
#include "tools/EncoderTexts.h"
#include "tools/Output.h"

#include <CLI/CLI.hpp>

namespace sinter {

static void embed(const EmbedOptions &options) {
  Artifact artifact(options.model);
  const Embeddings result = embedTexts(artifact, options);
  if (writeEmbeddings(result, options))
    return;
  Json rows = Json::array();
  for (size_t i = 0; i < result.vectors.size(); ++i)
    rows.push_back({{"text", result.texts[i].text},
                    {"tokens", result.texts[i].ids.size()},
                    {"truncated", result.texts[i].truncated},
                    {"embedding", result.vectors[i]}});
  printJson({{"model", artifact.info().name},
             {"pooling", result.pooling},
             {"normalized", result.normalized},
             {"dimensions", result.vectors.front().size()},
             {"embeddings", rows}});
}

void addEmbedCommand(CLI::App &app) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App *command = app.add_subcommand("embed", "Turns texts into vectors");
  addTextOptions(*command, *options);
  command->add_option("--pooling", options->pooling, "how token vectors become one (default: as the model says)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"mean", "cls", "first", "last", "max"}));
  command->add_flag("--normalize", options->normalize, "scale vectors to length 1, also where the model does not");
  command->add_option("--output", options->output, "write a NumPy file [texts, dimensions] instead of JSON")
      ->type_name("FILE.npy");
  command
      ->add_option("--hidden", options->hidden, "also write one text's last hidden rows [tokens, width] to this file")
      ->type_name("FILE.npy");
  command->add_flag("--similarity", options->similarity, "print the cosines between the texts instead")
      ->excludes("--output");
  command->add_flag("--json", options->json, "print JSON, which is the default")->excludes("--output", "--similarity");
  command->footer("Examples:\n"
                  "  sinter embed minilm.sinter \"a cat\" \"a kitten\" --similarity\n"
                  "  sinter embed minilm.sinter --file lines.txt --output vectors.npy\n");
  command->callback([options] { embed(*options); });
}

} // namespace sinter
