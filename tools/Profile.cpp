// Events of dispatches -> tables. A thread's time is a chain: wait for the others, compute, wait, compute. Each wait is
// counted with the dispatch before it, since it is there that the others were slower; so the lines of a table add up to
// the time that passed, and what is left over was spent outside of dispatches.

#include "tools/Profile.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>

namespace sinter {

Recorder::Recorder(Session &session, size_t events) : session(session) {
  recording.threads.resize(session.threads());
  for (std::vector<sinter_dispatch_event> &thread : recording.threads)
    thread.reserve(events);
  session.profile(record, this);
}

Recorder::~Recorder() { session.profile(nullptr, nullptr); }

void Recorder::record(void *user, const sinter_dispatch_event *event) {
  static_cast<Recorder *>(user)->recording.threads[event->thread].push_back(*event);
}

static double seconds(uint64_t begin, uint64_t end) { return static_cast<double>(end - begin) * 1e-9; }

static void add(ProfileLine &to, const ProfileLine &line) {
  to.calls += line.calls;
  to.bytes += line.bytes;
  to.multiplyAdds += line.multiplyAdds;
  to.working += line.working;
  to.waiting += line.waiting;
}

// Lines with one name become one; most time first.
static std::vector<ProfileLine> collect(const std::vector<ProfileLine> &lines, const std::vector<std::string> &names) {
  std::map<std::string, ProfileLine> sums;
  for (size_t i = 0; i < lines.size(); ++i)
    add(sums[names[i]], lines[i]);
  std::vector<ProfileLine> result;
  for (auto &[name, line] : sums) {
    result.push_back(line);
    result.back().name = name;
  }
  std::sort(result.begin(), result.end(),
            [](const ProfileLine &a, const ProfileLine &b) { return a.seconds() > b.seconds(); });
  return result;
}

namespace {

// Adds up the events of all threads, per entry and dispatch.
class Summary {
public:
  Summary(const sinter_model *model, const Recording &recording) : model(model), threads(recording.threads.size()) {
    for (const std::vector<sinter_dispatch_event> &events : recording.threads) {
      ProfileLine *before = nullptr;
      for (const sinter_dispatch_event &event : events)
        before = addEvent(event, before);
    }
  }

  Profile finish() const {
    Profile profile;
    std::vector<std::string> kinds, kernels;
    for (const auto &[entry, lines] : entries)
      for (uint32_t i = 0; i < lines.size(); ++i) {
        sinter_dispatch_info info = {};
        sinter_get_dispatch(model, entry.c_str(), i, &info);
        profile.dispatches.push_back(lines[i]);
        profile.dispatches.back().name = entry + " " + std::to_string(i) + " " + info.kernel;
        kinds.push_back(*info.kind ? info.kind : "unknown");
        kernels.push_back(info.kernel);
      }
    profile.kinds = collect(profile.dispatches, kinds);
    profile.kernels = collect(profile.dispatches, kernels);
    return profile;
  }

private:
  // Returns the line that the next wait belongs to; none after an entry's last event.
  ProfileLine *addEvent(const sinter_dispatch_event &event, ProfileLine *before) {
    std::vector<ProfileLine> &lines = linesOf(event.entry);
    bool last = event.dispatch >= lines.size();
    ProfileLine *line = last ? nullptr : &lines[event.dispatch];
    if (ProfileLine *waited = before ? before : line)
      waited->waiting += seconds(event.arrived, event.begin) / static_cast<double>(threads);
    if (last)
      return nullptr;
    line->working += seconds(event.begin, event.end) / static_cast<double>(threads);
    if (event.thread == 0) {
      sinter_dispatch_work work = {};
      sinter_get_work(model, event.entry, event.dispatch, event.tokens, event.position, &work);
      ++line->calls;
      line->bytes += work.weight_bytes + work.cache_bytes;
      line->multiplyAdds += work.multiply_adds;
    }
    return line;
  }

  // In the order in which entries first ran.
  std::vector<ProfileLine> &linesOf(const char *entry) {
    for (auto &[name, lines] : entries)
      if (name == entry)
        return lines;
    entries.emplace_back(entry, sinter_dispatch_count(model, entry));
    return entries.back().second;
  }

  const sinter_model *model;
  size_t threads;
  std::deque<std::pair<std::string, std::vector<ProfileLine>>> entries; // [dispatches of the entry]; never move
};

} // namespace

Profile summarize(const sinter_model *model, const Recording &recording, uint64_t tokens) {
  Profile profile = Summary(model, recording).finish();
  profile.seconds = profile.outside = recording.seconds;
  profile.tokens = tokens;
  for (const ProfileLine &line : profile.kinds)
    profile.outside -= line.seconds();
  return profile;
}

// Per second and in billions; a multiply-add is two operations. 0 for what took no time.
static double gigabytes(const ProfileLine &line) {
  return line.seconds() > 0 ? static_cast<double>(line.bytes) / line.seconds() * 1e-9 : 0;
}
static double gigaoperations(const ProfileLine &line) {
  return line.seconds() > 0 ? 2 * static_cast<double>(line.multiplyAdds) / line.seconds() * 1e-9 : 0;
}

static void printTable(const char *title, const std::vector<ProfileLine> &lines, const Profile &profile) {
  std::printf("\n  %7s %6s %6s %7s %10s %8s %8s  %s\n", "ms", "share", "wait", "calls", "us/call", "GB/s", "GOPS",
              title);
  for (const ProfileLine &line : lines) {
    double time = line.seconds();
    std::printf("  %7.3f %5.1f%% %5.1f%% %7llu %10.2f %8s %8s  %s\n", time * 1e3, 100 * time / profile.seconds,
                time > 0 ? 100 * line.waiting / time : 0, static_cast<unsigned long long>(line.calls),
                line.calls ? time * 1e6 / static_cast<double>(line.calls) : 0,
                line.bytes ? rounded(gigabytes(line)).c_str() : "-",
                line.multiplyAdds ? rounded(gigaoperations(line)).c_str() : "-", line.name.c_str());
  }
}

void printProfile(const char *phase, const Profile &profile) {
  std::printf("\n%s: %llu tokens in %.3f ms, %.1f%% of it outside of dispatches\n", phase,
              static_cast<unsigned long long>(profile.tokens), profile.seconds * 1e3,
              100 * profile.outside / profile.seconds);
  printTable("kind", profile.kinds, profile);
  printTable("kernel", profile.kernels, profile);
  printTable("dispatch", profile.dispatches, profile);
}

static Json toJson(const std::vector<ProfileLine> &lines, double whole) {
  Json list = Json::array();
  for (const ProfileLine &line : lines)
    list.push_back({{"name", line.name},
                    {"milliseconds", line.seconds() * 1e3},
                    {"waiting_milliseconds", line.waiting * 1e3},
                    {"share", line.seconds() / whole},
                    {"calls", line.calls},
                    {"bytes", line.bytes},
                    {"multiply_adds", line.multiplyAdds},
                    {"gigabytes_per_second", gigabytes(line)},
                    {"gigaoperations_per_second", gigaoperations(line)}});
  return list;
}

Json toJson(const Profile &profile) {
  return {{"tokens", profile.tokens},
          {"milliseconds", profile.seconds * 1e3},
          {"outside_milliseconds", profile.outside * 1e3},
          {"kinds", toJson(profile.kinds, profile.seconds)},
          {"kernels", toJson(profile.kernels, profile.seconds)},
          {"dispatches", toJson(profile.dispatches, profile.seconds)}};
}

} // namespace sinter
