// sinter: runs compiled models and looks at them. This file only names the subcommands; each lives in its own file.
// Nothing here knows of LLVM: the program links the runtime and the tokenizer.

#include "runtime/sinter.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"

int main(int argc, char **argv) {
  CLI::App app("Runs models that sinterc has compiled.", "sinter");
  app.set_version_flag("--version", std::string("sinter ") + sinter_version());
  app.require_subcommand(1);
  app.footer("Examples:\n"
             "  sinterc models/tales -o tales.sinter\n"
             "  sinter run tales.sinter \"Once upon a time\"\n"
             "  sinter bench tales.sinter --prompt-tokens 128 --gen-tokens 64\n"
             "  sinter eval tales.sinter --text stories.txt\n"
             "  sinter exec minilm.sinter --input input_ids=ids.npy --output-dir out\n"
             "  sinter inspect tales.sinter --context 128 --threads 2\n"
             "  sinter embed minilm.sinter \"a cat\" \"a kitten\" --similarity\n"
             "\n\"sinter run --help\" and so on tell more. Every command takes --json.\n");
  sinter::addRunCommand(app);
  sinter::addBenchCommand(app);
  sinter::addEvalCommand(app);
  sinter::addExecCommand(app);
  sinter::addInspectCommand(app);
  sinter::addEmbedCommand(app);
  sinter::addClassifyCommand(app);
  sinter::addTokenizeCommand(app);
  sinter::addDevicesCommand(app);
  return sinter::runCommandLine(app, argc, argv);
}
