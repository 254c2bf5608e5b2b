// The options that `sinter embed` and `sinter classify` share.

#include "tools/CommandLine.h"
#include "tools/EncoderTexts.h"

namespace sinter {

void addTextOptions(CLI::App &command, TextOptions &options) {
  command.add_option("FILE", options.model, "a compiled encoder")->required()->type_name("");
  command.add_option("TEXT", options.texts, "one or more texts")->type_name("");
  command.add_option("--file", options.file, "a file with a text on each line; \"-\" reads standard input")
      ->type_name("FILE");
  command.add_option("--ids", options.ids, "token ids (101,7592,102) instead of a text; may be given several times")
      ->type_name("IDS");
  command.add_option("--threads", options.threads, "threads (default: as many as the process may use)")
      ->type_name("N")
      ->check(positive());
}

} // namespace sinter
