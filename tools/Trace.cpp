// The Trace Event Format of Chrome, which Perfetto reads too: a list of complete events ("ph": "X") with begin and
// length in microseconds. A dispatch is one event per thread, and so is each wait for the other threads.

#include "tools/Trace.h"

#include "tools/OutputFile.h"

namespace sinter {

namespace {

class TraceFile {
public:
  explicit TraceFile(const std::string &path) : file(path) {
    write("{\"displayTimeUnit\": \"ns\", \"traceEvents\": [");
  }

  void add(const Json &event) {
    write((first ? "\n" : ",\n") + event.dump(-1, ' ', false, Json::error_handler_t::replace));
    first = false;
  }
  void finish() {
    write("\n]}\n");
    file.finish();
  }

private:
  void write(const std::string &text) { file.write(text.data(), text.size()); }

  OutputFile file;
  bool first = true;
};

} // namespace

static Json span(const char *name, const char *category, uint32_t thread, uint64_t origin, uint64_t begin,
                 uint64_t end) {
  return {{"ph", "X"},
          {"pid", 0},
          {"tid", thread},
          {"name", name},
          {"cat", category},
          {"ts", static_cast<double>(begin - origin) * 1e-3},
          {"dur", static_cast<double>(end - begin) * 1e-3}};
}

void writeTrace(const std::string &path, const sinter_model *model, const std::vector<const Recording *> &recordings) {
  TraceFile file(path);
  uint64_t origin = UINT64_MAX;
  size_t threads = 0;
  for (const Recording *recording : recordings) {
    threads = std::max(threads, recording->threads.size());
    for (const std::vector<sinter_dispatch_event> &events : recording->threads)
      if (!events.empty())
        origin = std::min(origin, events.front().arrived);
  }
  for (size_t thread = 0; thread < threads; ++thread)
    file.add({{"ph", "M"},
              {"pid", 0},
              {"tid", thread},
              {"name", "thread_name"},
              {"args", {{"name", "thread " + std::to_string(thread)}}}});
  for (const Recording *recording : recordings)
    for (const std::vector<sinter_dispatch_event> &events : recording->threads)
      for (const sinter_dispatch_event &event : events) {
        if (event.begin > event.arrived)
          file.add(span("wait", "wait", event.thread, origin, event.arrived, event.begin));
        sinter_dispatch_info info = {};
        sinter_dispatch_work work = {};
        if (sinter_get_dispatch(model, event.entry, event.dispatch, &info) != SINTER_OK)
          continue; // the wait that ends an entry
        sinter_get_work(model, event.entry, event.dispatch, event.tokens, event.position, &work);
        Json dispatch =
            span(info.kernel, *info.kind ? info.kind : "unknown", event.thread, origin, event.begin, event.end);
        dispatch["args"] = {{"entry", event.entry},
                            {"dispatch", event.dispatch},
                            {"tokens", event.tokens},
                            {"position", event.position},
                            {"bytes", work.weight_bytes + work.cache_bytes},
                            {"multiply_adds", work.multiply_adds}};
        file.add(dispatch);
      }
  file.finish();
}

} // namespace sinter
