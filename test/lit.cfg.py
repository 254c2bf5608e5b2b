# The lit suite: every .mlir file under test/ is a test whose RUN lines say how it runs.
import os

import lit.formats

config.name = "sinter"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = os.path.join(config.sinter_source_dir, "test")
config.test_exec_root = os.path.join(config.sinter_binary_dir, "test")

# Our tools, then LLVM's FileCheck, not and split-file.
tools = [os.path.join(config.sinter_binary_dir, "bin"), config.llvm_tools_dir]
config.environment["PATH"] = os.pathsep.join(tools + [config.environment.get("PATH", "")])

# A failed check shows its input.
config.environment["FILECHECK_OPTS"] = "--dump-input-filter=all"
