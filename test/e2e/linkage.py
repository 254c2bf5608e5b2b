"""sinter is what people deploy: it needs no LLVM at run time."""

import re
import unittest

import harness

SYSTEM = {"libc", "libm", "libstdc++", "libgcc_s", "ld-linux-x86-64", "libpthread", "libpcre2-8", "libutf8proc"}


class Linkage(unittest.TestCase):
    def test_sinter_needs_only_system_libraries(self):
        needed = set(re.findall(r"NEEDED.*\[(.*?)\.so", harness.run("readelf", "-d", harness.SINTER).stdout))
        if any("san" in name for name in needed):
            self.skipTest("built with sanitizers")
        self.assertTrue(needed)
        self.assertLessEqual(needed, SYSTEM)

    def test_no_llvm_inside(self):
        symbols = harness.run("readelf", "-sW", "--demangle", harness.SINTER).stdout
        self.assertNotRegex(symbols, r"\b(llvm|mlir)::")


if __name__ == "__main__":
    harness.main()
