// What sinterc puts beside the runtime when it links a model (link/Library.cpp writes it, linked.cpp reads it).
#pragma once

#include "runtime/sinter.h"

extern "C" {

struct sinter_linked_facts_record {
  uint64_t head_size, code_size, weights_size;
  char name[104]; // what messages call the model
};

__attribute__((visibility("hidden"))) extern const sinter_linked_facts_record sinter_linked_facts;
// Each 64-byte aligned.
__attribute__((visibility("hidden"))) extern const unsigned char sinter_linked_head[];
__attribute__((visibility("hidden"))) extern const unsigned char sinter_linked_code[];
__attribute__((visibility("hidden"))) extern const unsigned char sinter_linked_weights[];

SINTER_API sinter_status sinter_linked_open(
#ifdef SINTER_LINKED_FILE
    const char *weights_path,
#endif
    const sinter_model_options *options, sinter_model **model, sinter_error *error);

} // extern "C"
