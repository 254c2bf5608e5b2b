// Encoders: one text goes through the entry at its own length, whatever the package's largest is, and its head follows
// in the same job. A batch is a loop over texts: with nothing padded there is nothing to gain from computing them
// together but the reading of weights, which for texts of more than a few tokens is hidden behind the products.

#include "runtime/session.h"
#include "runtime/status.h"

using namespace sinter;
using namespace sinter::runtime;

sinter_status sinter_model_get_encoder(const sinter_model *model, sinter_encoder_info *info) {
  if (!model || !info)
    return SINTER_ERROR_ARGUMENT;
  *info = {};
  const package::Encoder *encoder = model->manifest->encoder();
  if (!encoder)
    return SINTER_ERROR_UNSUPPORTED;
  info->task = sinter_task(encoder->task());
  info->output_width = encoder->output_width();
  info->tokens = mostTokens(model);
  info->types = encoder->types() ? encoder->type_count() : 0;
  info->pooling = encoder->pooling() ? encoder->pooling()->c_str() : "";
  info->unit = encoder->unit();
  info->multi_label = encoder->multi_label();
  return SINTER_OK;
}

const char *sinter_model_label(const sinter_model *model, uint32_t index) {
  const package::Encoder *encoder = model ? model->manifest->encoder() : nullptr;
  return encoder && index < count(encoder->labels()) ? encoder->labels()->Get(index)->c_str() : nullptr;
}

sinter_status sinter_encode(sinter_session *session, const uint32_t *ids, const uint32_t *types, size_t count,
                            sinter_encoding *encoding) {
  if (!session || !encoding)
    return SINTER_ERROR_ARGUMENT;
  *encoding = {};
  const sinter_model *model = session->model;
  const package::Manifest &manifest = *model->manifest;
  const package::Encoder *encoder = manifest.encoder();
  if (!encoder)
    return fail(session, SINTER_ERROR_UNSUPPORTED, "%s is not an encoder", model->label);
  if (!ids || count == 0)
    return fail(session, SINTER_ERROR_ARGUMENT, "at least one token is needed");
  if (count > mostTokens(model) || count > session->context)
    return fail(session, SINTER_ERROR_CONTEXT, "%zu tokens exceed the %u that a text may have", count,
                mostTokens(model) < session->context ? mostTokens(model) : session->context);
  for (size_t i = 0; i < count; ++i) {
    if (ids[i] >= manifest.model()->vocab())
      return fail(session, SINTER_ERROR_ARGUMENT, "token %u (number %zu) is not in the vocabulary of %u",
                  ids[i], i, manifest.model()->vocab());
    if (types && types[i] && types[i] >= encoder->type_count())
      return fail(session, SINTER_ERROR_ARGUMENT, "token number %zu is of type %u, but there are %u types", i,
                  types[i], encoder->type_count());
  }
  for (size_t i = 0; i < count; ++i) {
    session->tokens[i] = int32_t(ids[i]);
    if (session->types)
      session->types[i] = types ? int32_t(types[i]) : 0;
  }
  sinter_kernel_scalars scalars = {count, 0, 0, {}};
  Job job = {{{&session->encode, scalars}, {&session->head, scalars}},
             model->head ? 2u : 1u,
             session->observer,
             session->profiler};
  if (sinter_status status = runSteps(session, job))
    return status;

  encoding->hidden = session->hidden;
  encoding->tokens = count;
  encoding->hidden_stride = manifest.hidden_stride();
  encoding->output = model->head ? session->logits : session->hidden;
  encoding->output_rows = model->head && encoder->task() != package::Task::tag ? 1 : count;
  encoding->output_width = encoder->output_width();
  encoding->output_stride = encoder->output_stride();
  return SINTER_OK;
}
