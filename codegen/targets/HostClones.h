// For the compiler's own hot loops: SINTER_HOST_CLONES before a function makes the C++ compiler emit it once per x86 vector
// width and choose at load time. Other hosts get one version. (Nothing to do with the code Sinter generates.)
#pragma once

#if defined(__x86_64__)
#define SINTER_HOST_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define SINTER_HOST_CLONES
#endif
