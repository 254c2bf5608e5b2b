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
struct ModelOptions : sinter_model_options {
  ModelOptions() : sinter_model_options{} { api_version = SINTER_API_VERSION; }
};
struct SessionOptions : sinter_session_options {
  SessionOptions() : sinter_session_options{SINTER_API_VERSION, 0, 0, nullptr, 0} {}
};

// The functions that the classes below call: those of sinter.h. Headers of linked models have the same with their own
// names.
struct Runtime {
  static constexpr bool linked = false;
  static constexpr auto model_open = sinter_model_open;
  static constexpr auto model_open_memory = sinter_model_open_memory;
  static constexpr auto model_open_parts = sinter_model_open_parts;
  static constexpr auto model_close = sinter_model_close;
  static constexpr auto model_get_info = sinter_model_get_info;
  static constexpr auto model_check = sinter_model_check;
  static constexpr auto token_text = sinter_token_text;
  static constexpr auto plan = sinter_plan;
  static constexpr auto session_create = sinter_session_create;
  static constexpr auto session_destroy = sinter_session_destroy;
  static constexpr auto session_error = sinter_session_error;
  static constexpr auto prefill = sinter_prefill;
  static constexpr auto decode = sinter_decode;
  static constexpr auto logits = sinter_logits;
  static constexpr auto score = sinter_score;
  static constexpr auto cancel = sinter_cancel;
  static constexpr auto position = sinter_position;
  static constexpr auto threads = sinter_threads;
  static constexpr auto reset = sinter_reset;
  static constexpr auto truncate = sinter_truncate;
  static constexpr auto set_sampler = sinter_set_sampler;
  static constexpr auto sample = sinter_sample;
  static constexpr auto generate = sinter_generate;
  static constexpr auto encode = sinter_encode;
  static constexpr auto set_observer = sinter_set_observer;
  static constexpr auto set_profiler = sinter_set_profiler;
};

// An opened package. Empty until one of open() succeeds; using it empty gives a status, as all misuse does.
template <class Api> class BasicModel {
public:
  // A package; of a linked model with its weights in a file, that file.
  Status open(const std::string &path, const ModelOptions &options = {}) {
    return take([&](sinter_model **model, sinter_error *error) {
      if constexpr (Api::linked)
        return Api::open(path.c_str(), &options, model, error);
      else
        return Api::model_open(path.c_str(), &options, model, error);
    });
  }
  // The bytes must outlive the model and its sessions.
  Status open(const void *data, size_t size, const ModelOptions &options = {}) {
    return take([&](sinter_model **model, sinter_error *error) {
      return Api::model_open_memory(data, size, &options, model, error);
    });
  }
  Status open(const sinter_parts &parts, const ModelOptions &options = {}) {
    return take([&](sinter_model **model, sinter_error *error) {
      return Api::model_open_parts(&parts, &options, model, error);
    });
  }
  // A linked model.
  Status open(const ModelOptions &options = {}) {
    return take([&](sinter_model **model, sinter_error *error) { return Api::open(&options, model, error); });
  }
  // Sessions go on.
  void close() { handle.reset(); }

  explicit operator bool() const { return handle != nullptr; }
  const sinter_model *get() const { return handle.get(); }

  sinter_model_info info() const {
    sinter_model_info result = {};
    Api::model_get_info(get(), &result);
    return result;
  }
  // As sinter_token_text; "" for what is not a token.
  std::string tokenText(uint32_t id) const {
    const char *text = "";
    size_t size = 0;
    Api::token_text(get(), id, &text, &size);
    return std::string(text, size);
  }
  Status check() const {
    sinter_error error = {};
    sinter_status code = Api::model_check(get(), &error);
    return {code, error.message};
  }
  Status plan(sinter_memory_plan &plan, const SessionOptions &options = {}) const {
    sinter_error error = {};
    sinter_status code = Api::plan(get(), &options, &plan, &error);
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
    void operator()(sinter_model *model) const { Api::model_close(model); }
  };
  std::unique_ptr<sinter_model, Close> handle;
};

// A sequence. Empty until create() succeeds and after it was moved from; calls on it then are SINTER_ERROR_ARGUMENT. It
// keeps its model alive.
template <class Api> class BasicSession {
public:
  Status create(const BasicModel<Api> &model, const SessionOptions &options = {}) {
    sinter_session *created = nullptr;
    sinter_error error = {};
    sinter_status code = Api::session_create(model.get(), &options, &created, &error);
    handle.reset(created);
    observer.reset();
    return {code, error.message};
  }

  explicit operator bool() const { return handle != nullptr; }
  sinter_session *get() const { return handle.get(); }

  Status prefill(const uint32_t *ids, size_t count) { return status(Api::prefill(get(), ids, count)); }
  Status prefill(const std::vector<uint32_t> &ids) { return prefill(ids.data(), ids.size()); }
  Status decode(uint32_t id) { return status(Api::decode(get(), id)); }
  // f32 [vocab], or null before the first token.
  const float *logits() const { return Api::logits(get()); }
  // callback(size_t index, const float *logits); may return a bool or int: true or non-zero stops.
  template <class Callback> Status score(const std::vector<uint32_t> &ids, Callback &&callback) {
    return status(Api::score(
        get(), ids.data(), ids.size(),
        [](void *user, size_t index, const float *logits) { return call<Callback>(user, index, logits); }, &callback));
  }

  // `types` empty: all of type 0.
  Status encode(const std::vector<uint32_t> &ids, const std::vector<uint32_t> &types, sinter_encoding &encoding) {
    if (!types.empty() && types.size() != ids.size())
      return {SINTER_ERROR_ARGUMENT, "expected as many types as ids"};
    return status(Api::encode(get(), ids.data(), types.empty() ? nullptr : types.data(), ids.size(), &encoding));
  }

  // May be called from another thread or a signal handler while a call is running.
  void cancel() { Api::cancel(get()); }
  uint32_t position() const { return Api::position(get()); }
  uint32_t threads() const { return Api::threads(get()); }
  void reset() { Api::reset(get()); }
  Status truncate(uint32_t position) { return status(Api::truncate(get(), position)); }

  Status setSampler(const sinter_sampler &sampler) { return status(Api::set_sampler(get(), &sampler)); }
  Status sample(uint32_t &id) { return status(Api::sample(get(), &id)); }
  // callback(uint32_t id); may return a bool or int: true or non-zero stops after this token.
  template <class Callback>
  Status generate(uint32_t maxTokens, Callback &&callback, bool ignoreEos = false, uint32_t *generated = nullptr) {
    return status(Api::generate(
        get(), maxTokens, ignoreEos, [](void *user, uint32_t id) { return call<Callback>(user, id); }, &callback,
        generated));
  }

  // Called after each layer of each step; an empty function takes it away.
  void observe(std::function<void(const sinter_observation &)> function) {
    if (!function) {
      Api::set_observer(get(), nullptr, nullptr);
      observer.reset();
      return;
    }
    observer = std::make_unique<std::function<void(const sinter_observation &)>>(std::move(function));
    Api::set_observer(
        get(),
        [](void *user, const sinter_observation *observation) {
          (*static_cast<std::function<void(const sinter_observation &)> *>(user))(*observation);
        },
        observer.get());
  }

  // As sinter_set_profiler: called by several threads at once.
  void profile(sinter_profiler profiler, void *user) { Api::set_profiler(get(), profiler, user); }

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
  Status status(sinter_status code) const { return {code, code == SINTER_OK ? "" : Api::session_error(get())}; }

  struct Destroy {
    void operator()(sinter_session *session) const { Api::session_destroy(session); }
  };
  std::unique_ptr<std::function<void(const sinter_observation &)>> observer; // outlives the session that calls it
  std::unique_ptr<sinter_session, Destroy> handle;
};

using Model = BasicModel<Runtime>;
using Session = BasicSession<Runtime>;

} // namespace sinter
