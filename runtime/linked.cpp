// The one function that a linked model adds to the runtime: opening it. sinterc links this object with the runtime and
// with the model's bytes, and gives all public names the model's prefix: sinter_linked_open becomes tales_open. With
// SINTER_LINKED_FILE the weights lie in a file beside the program.

#include "runtime/linked.h"

extern "C" {

#ifdef SINTER_LINKED_FILE
sinter_status sinter_linked_open(const char *weights_path, const sinter_model_options *options, sinter_model **model,
                                 sinter_error *error) {
  const void *weights = nullptr;
#else
sinter_status sinter_linked_open(const sinter_model_options *options, sinter_model **model, sinter_error *error) {
  const char *weights_path = nullptr;
  const void *weights = sinter_linked_weights;
#endif
  const sinter_linked_facts_record &facts = sinter_linked_facts;
  sinter_parts parts = {SINTER_API_VERSION,
                        facts.name,
                        sinter_linked_head,
                        size_t(facts.head_size),
                        sinter_linked_code,
                        size_t(facts.code_size),
                        weights,
                        size_t(facts.weights_size),
                        weights_path};
  return sinter_model_open_parts(&parts, options, model, error);
}

} // extern "C"
