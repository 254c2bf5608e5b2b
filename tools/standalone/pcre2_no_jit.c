/* PCRE2 without its just-in-time compiler, which would be half of a self-contained executable: libpcre2-8.a's other members
 * ask for these, and with them defined here the member that has the compiler is left out. Nothing calls them, since no
 * pattern is compiled to machine code (SINTER_PCRE2_NO_JIT). A version of PCRE2 that asks for more brings its compiler in
 * and the linker says that these are defined twice. */
#include <stddef.h>

int pcre2_jit_match_8(const void *code, const unsigned char *subject, size_t length, size_t start, unsigned options,
                      void *data, void *context) {
  return -45; /* PCRE2_ERROR_JIT_BADOPTION: the pattern was not compiled to machine code */
}
int _pcre2_jit_check_exec_8(void) { return -45; }
void _pcre2_jit_free_8(void *jit, void *memory) {}
size_t _pcre2_jit_get_size_8(void *jit) { return 0; }
const char *_pcre2_jit_get_target_8(void) { return "none"; }
