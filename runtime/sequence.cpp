// The sequence of a session: appending tokens step by step, scoring, going back. Everything that can be wrong with a
// call is checked before the first step, so that an error leaves the sequence as it was.

#include "runtime/session.h"
#include "runtime/status.h"

using namespace sinter;
using namespace sinter::runtime;

namespace {

sinter_status checkTokens(sinter_session *session, const uint32_t *ids, size_t count) {
  uint32_t vocab = session->sampler.vocab;
  if (session->model->exec)
    return fail(session, SINTER_ERROR_UNSUPPORTED, "%s is a program with named inputs: it takes no tokens",
                session->model->label);
  if (session->model->encode)
    return fail(session, SINTER_ERROR_UNSUPPORTED, "%s is an encoder: it does not continue texts",
                session->model->label);
  if (!ids || count == 0)
    return fail(session, SINTER_ERROR_ARGUMENT, "at least one token is needed");
  if (count > session->context - session->position)
    return fail(session, SINTER_ERROR_CONTEXT, "%zu tokens after the first %u would exceed the context of %u", count,
                session->position, session->context);
  for (size_t i = 0; i < count; ++i)
    if (ids[i] >= vocab)
      return fail(session, SINTER_ERROR_ARGUMENT, "token %u (number %zu) is not in the vocabulary of %u", ids[i], i,
                  vocab);
  return SINTER_OK;
}

// The step that appends the first tokens of `ids`, as many as go at once.
Step takeStep(sinter_session *session, const uint32_t *ids, size_t count) {
  size_t most = session->model->prefill->max_tokens();
  size_t tokens = count < most ? count : most;
  for (size_t i = 0; i < tokens; ++i) {
    session->tokens[i] = int32_t(ids[i]);
    session->history[session->position + i] = ids[i];
  }
  return {tokens == 1 ? &session->decode : &session->prefill, {tokens, session->position, 0, {}}};
}

// Logits of one row of the last step.
Step headStep(sinter_session *session, const Step &step, uint64_t row) {
  return {&session->head, {1, step.scalars.position + row, row, {}}};
}

void advance(sinter_session *session, const Step &step) {
  session->position += uint32_t(step.scalars.tokens);
  session->written = session->position > session->written ? session->position : session->written;
}

} // namespace

void sinter_cancel(sinter_session *session) {
  if (session)
    __atomic_store_n(&session->team.cancel, 1, __ATOMIC_RELAXED);
}

sinter_status sinter_prefill(sinter_session *session, const uint32_t *ids, size_t count) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  if (sinter_status status = checkTokens(session, ids, count))
    return status;
  const uint32_t before = session->position;
  for (size_t done = 0; done < count;) {
    Step step = takeStep(session, ids + done, count - done);
    done += step.scalars.tokens;
    // The last step goes on into the head.
    Job job = {{step, headStep(session, step, step.scalars.tokens - 1)},
               done == count ? 2u : 1u,
               session->observer,
               session->profiler};
    if (sinter_status status = runSteps(session, job)) {
      if (status != SINTER_ERROR_CANCELLED)
        session->position = before;
      return status;
    }
    advance(session, step);
  }
  session->hasLogits = true;
  return SINTER_OK;
}

sinter_status sinter_decode(sinter_session *session, uint32_t id) { return sinter_prefill(session, &id, 1); }

sinter_status sinter_score(sinter_session *session, const uint32_t *ids, size_t count, sinter_logits_callback callback,
                           void *user) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  if (!callback)
    return fail(session, SINTER_ERROR_ARGUMENT, "scoring needs a callback");
  if (sinter_status status = checkTokens(session, ids, count))
    return status;
  bool stopped = false;
  for (size_t done = 0; done < count && !stopped;) {
    Step step = takeStep(session, ids + done, count - done);
    if (sinter_status status = runSteps(session, {{step, {}}, 1, session->observer, session->profiler}))
      return status;
    advance(session, step);
    for (uint64_t row = 0; row < step.scalars.tokens; ++row) {
      // Once stopped only the last row is left to do, so that the logits are those of the last token.
      if (stopped && row + 1 < step.scalars.tokens)
        continue;
      if (sinter_status status =
              runSteps(session, {{headStep(session, step, row), {}}, 1, session->observer, session->profiler}))
        return status;
      session->hasLogits = row + 1 == step.scalars.tokens;
      const float *logits = fetchLogits(session);
      if (!logits)
        return session->error.status;
      if (!stopped)
        stopped = callback(user, done + row, logits) != 0;
    }
    done += step.scalars.tokens;
  }
  if (stopped)
    return fail(session, SINTER_ERROR_CANCELLED, "the callback stopped scoring at %u tokens", session->position);
  return SINTER_OK;
}

void sinter_reset(sinter_session *session) {
  if (!session)
    return;
  session->position = session->written = 0;
  session->hasLogits = false;
}

sinter_status sinter_truncate(sinter_session *session, uint32_t position) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  if (position > session->position)
    return fail(session, SINTER_ERROR_ARGUMENT, "cannot go back to position %u of a sequence of %u tokens", position,
                session->position);
  if (position == session->position)
    return SINTER_OK;
  if (position > 0)
    for (const package::Cache *cache : *session->model->manifest->caches()) {
      // A ring of n tokens has lost all that lies more than n before the furthest position written.
      uint32_t lost = session->written > cache->capacity() ? session->written - cache->capacity() : 0;
      uint32_t needed = cache->window() && position > cache->window() ? position - cache->window() : 0;
      if (needed < lost)
        return fail(session, SINTER_ERROR_CONTEXT,
                    "cannot go back to position %u: cache '%.40s' has a window of %u tokens and keeps those from %u on",
                    position, cache->name()->c_str(), cache->window(), lost);
    }
  if (position == 0)
    session->written = 0;
  session->position = position;
  session->hasLogits = false;
  return SINTER_OK;
}
