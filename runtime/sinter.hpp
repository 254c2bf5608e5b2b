// sinter.h for C++17: owning handles, callbacks as lambdas. Header only.
//
// Calls that can fail return a Status. Look at it, or let it throw:
//
//   sinter::Model model;
//   sinter::Session session;
//   model.open("tales.sinter").orThrow();
//   session.create(model).orThrow();
//   if (sinter::Status status = session.prefill(ids); !status.ok())
//     std::fprintf(stderr, "%s\n", status.message.c_str());
//   session.generate(100, [](uint32_t id) { return use(id); }).orThrow();
//
// Callbacks must not throw: the runtime below them is built without exceptions.
#pragma once

#include "sinter.h"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinter {

class Error : public std::runtime_error {
public:
  Error(sinter_status code, const std::string &message) : std::runtime_error(message), code(code) {}
  const sinter_status code;
};

struct [[nodiscard]] Status {
  sinter_status code = SINTER_OK;
  std::string message; // empty if ok

  bool ok() const { return code == SINTER_OK; }
  void orThrow() const {
    if (!ok())
      throw Error(code, message);
  }
};

// All zero but the version: defaults.
struct SessionOptions : sinter_session_options {
  SessionOptions() : sinter_session_options{SINTER_API_VERSION, 0, 0, nullptr, 0} {}
};

class Model {
public:
  // `isa`: as in sinter_model_options.
  Status open(const std::string &path, const char *isa = nullptr) {
    sinter_model_options options = {};
    options.api_version = SINTER_API_VERSION;
    options.isa = isa;
    return take([&](sinter_model **model, sinter_error *error) {
      return sinter_model_open(path.c_str(), &options, model, error);
    });
  }
  // The bytes must outlive the model.
  Status open(const void *data, size_t size, const char *isa = nullptr) {
    sinter_model_options options = {};
    options.api_version = SINTER_API_VERSION;
    options.isa = isa;
    return take([&](sinter_model **model, sinter_error *error) {
      return sinter_model_open_memory(data, size, &options, model, error);
    });
  }

  explicit operator bool() const { return handle != nullptr; }
  const sinter_model *get() const { return handle.get(); }

  sinter_model_info info() const {
    sinter_model_info result;
    sinter_model_get_info(get(), &result);
    return result;
  }
  Status check() const {
    sinter_error error = {};
    sinter_status code = sinter_model_check(get(), &error);
    return {code, error.message};
  }
  Status plan(sinter_memory_plan &plan, const SessionOptions &options = {}) const {
    sinter_error error = {};
    sinter_status code = sinter_plan(get(), &options, &plan, &error);
    return {code, error.message};
  }

private:
  template <class Open> Status take(Open open) {
    sinter_model *opened = nullptr;
    sinter_error error = {};
    sinter_status code = open(&opened, &error);
    handle.reset(opened);
    return {code, error.message};
  }
  struct Close {
    void operator()(sinter_model *model) const { sinter_model_close(model); }
  };
  std::unique_ptr<sinter_model, Close> handle;
};

class Session {
public:
  // The model must outlive the session.
  Status create(const Model &model, const SessionOptions &options = {}) {
    sinter_session *created = nullptr;
    sinter_error error = {};
    sinter_status code = sinter_session_create(model.get(), &options, &created, &error);
    handle.reset(created);
    observer.reset();
    return {code, error.message};
  }

  explicit operator bool() const { return handle != nullptr; }
  sinter_session *get() const { return handle.get(); }

  Status prefill(const uint32_t *ids, size_t count) { return status(sinter_prefill(get(), ids, count)); }
  Status prefill(const std::vector<uint32_t> &ids) { return prefill(ids.data(), ids.size()); }
  Status decode(uint32_t id) { return status(sinter_decode(get(), id)); }
  // f32 [vocab], or null before the first token.
  const float *logits() const { return sinter_logits(get()); }
  // callback(size_t index, const float *logits); may return a bool or int: true or non-zero stops.
  template <class Callback> Status score(const std::vector<uint32_t> &ids, Callback &&callback) {
    return status(sinter_score(
        get(), ids.data(), ids.size(),
        [](void *user, size_t index, const float *logits) { return call<Callback>(user, index, logits); }, &callback));
  }

  uint32_t position() const { return sinter_position(get()); }
  uint32_t threads() const { return sinter_threads(get()); }
  void reset() { sinter_reset(get()); }
  Status truncate(uint32_t position) { return status(sinter_truncate(get(), position)); }

  Status setSampler(const sinter_sampler &sampler) { return status(sinter_set_sampler(get(), &sampler)); }
  Status sample(uint32_t &id) { return status(sinter_sample(get(), &id)); }
  // callback(uint32_t id); may return a bool or int: true or non-zero stops after this token.
  template <class Callback>
  Status generate(uint32_t maxTokens, Callback &&callback, bool ignoreEos = false, uint32_t *generated = nullptr) {
    return status(sinter_generate(
        get(), maxTokens, ignoreEos, [](void *user, uint32_t id) { return call<Callback>(user, id); }, &callback,
        generated));
  }

  // Called after each layer of each step; an empty function takes it away.
  void observe(std::function<void(const sinter_observation &)> function) {
    if (!function) {
      sinter_set_observer(get(), nullptr, nullptr);
      observer.reset();
      return;
    }
    observer = std::make_unique<std::function<void(const sinter_observation &)>>(std::move(function));
    sinter_set_observer(
        get(),
        [](void *user, const sinter_observation *observation) {
          (*static_cast<std::function<void(const sinter_observation &)> *>(user))(*observation);
        },
        observer.get());
  }

  // As sinter_set_profiler: called by several threads at once.
  void profile(sinter_profiler profiler, void *user) { sinter_set_profiler(get(), profiler, user); }

private:
  template <class Callback, class... Arguments> static int call(void *user, Arguments... arguments) {
    auto &callback = *static_cast<std::remove_reference_t<Callback> *>(user);
    if constexpr (std::is_void_v<decltype(callback(arguments...))>) {
      callback(arguments...);
      return 0;
    } else {
      return int(callback(arguments...));
    }
  }
  Status status(sinter_status code) const { return {code, code == SINTER_OK ? "" : sinter_session_error(get())}; }

  struct Destroy {
    void operator()(sinter_session *session) const { sinter_session_destroy(session); }
  };
  std::unique_ptr<std::function<void(const sinter_observation &)>> observer; // outlives the session that calls it
  std::unique_ptr<sinter_session, Destroy> handle;
};

} // namespace sinter
