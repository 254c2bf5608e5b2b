// Sampling calls of the C API: the sampler of a session, and the loop that writes text with it.

#include "runtime/session.h"
#include "runtime/status.h"

using namespace sinter;
using namespace sinter::runtime;

sinter_status sinter_set_sampler(sinter_session *session, const sinter_sampler *settings) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  if (!settings)
    return fail(session, SINTER_ERROR_ARGUMENT, "no sampler given");
  if (const char *problem = checkSampler(*settings))
    return fail(session, SINTER_ERROR_ARGUMENT, "sampler: %s", problem);
  session->sampler.settings = *settings;
  session->sampler.draws = 0;
  return SINTER_OK;
}

sinter_status sinter_sample(sinter_session *session, uint32_t *id) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  if (!id)
    return fail(session, SINTER_ERROR_ARGUMENT, "sampling: null pointer");
  if (!session->hasLogits)
    return fail(session, SINTER_ERROR_ARGUMENT, "there are no logits to sample from before the first token");
  const sinter_sampler &settings = session->sampler.settings;
  bool greedy = settings.temperature == 0 && (settings.repetition_penalty == 0 || settings.repetition_penalty == 1);
  if (session->onDevice && greedy && !session->logitsHere) {
    *id = session->model->backend->greedy(session->onDevice);
    return SINTER_OK;
  }
  const float *logits = fetchLogits(session);
  if (!logits)
    return session->error.status;
  *id = choose(&session->sampler, logits, session->history, session->position);
  return SINTER_OK;
}

sinter_status sinter_generate(sinter_session *session, uint32_t max_tokens, int ignore_eos,
                              sinter_token_callback callback, void *user, uint32_t *generated) {
  if (generated)
    *generated = 0;
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  const flatbuffers::Vector<uint32_t> *eos = session->model->manifest->model()->eos();
  for (uint32_t made = 0; made < max_tokens && session->position < session->context; ++made) {
    uint32_t id;
    if (sinter_status status = sinter_sample(session, &id))
      return status;
    for (uint32_t i = 0; i < count(eos) && !ignore_eos; ++i)
      if (eos->Get(i) == id)
        return SINTER_OK;
    bool stop = callback && callback(user, id) != 0;
    if (generated)
      *generated = made + 1;
    if (sinter_status status = sinter_decode(session, id))
      return status;
    if (stop)
      break;
  }
  return SINTER_OK;
}
