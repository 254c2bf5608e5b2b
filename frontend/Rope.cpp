// Context-extension schemes reduced to numbers, so that nothing after the frontend knows of them. Computed in double
// and rounded once. The schemes, as Hugging Face defines them:
//   linear: positions are divided by a factor (Chen et al. 2023);
//   llama3: long wavelengths are divided, short ones kept, a smooth passage between (Llama 3.1);
//   yarn: the passage is a ramp over dims, and logits are sharpened (Peng et al. 2023).

#include "frontend/Rope.h"

#include <algorithm>
#include <cmath>

namespace sinter {
namespace {

constexpr double kPi = 3.14159265358979323846;

struct Request {
  const RopeConfig &config;
  int64_t dims, context;
};

// A number that must be there and positive.
bool need(double value, const char *key, const RopeConfig &config, std::string &error) {
  if (value > 0)
    return true;
  error = "rope type '" + config.kind + "' needs a positive '" + key + "'";
  return false;
}

bool unscaled(const Request &, std::vector<double> &, double &, std::string &) { return true; }

bool linear(const Request &request, std::vector<double> &frequencies, double &, std::string &error) {
  if (!need(request.config.factor, "factor", request.config, error))
    return false;
  for (double &frequency : frequencies)
    frequency /= request.config.factor;
  return true;
}

bool llama3(const Request &request, std::vector<double> &frequencies, double &, std::string &error) {
  const RopeConfig &config = request.config;
  if (!need(config.factor, "factor", config, error) ||
      !need(config.lowFrequencyFactor, "low_freq_factor", config, error) ||
      !need(config.highFrequencyFactor, "high_freq_factor", config, error) ||
      !need(static_cast<double>(config.originalContext), "original_max_position_embeddings", config, error))
    return false;
  if (config.highFrequencyFactor <= config.lowFrequencyFactor) {
    error = "rope type 'llama3' needs 'high_freq_factor' above 'low_freq_factor'";
    return false;
  }
  for (double &frequency : frequencies) {
    double turns = static_cast<double>(config.originalContext) * frequency / (2 * kPi); // within the original context
    double keep = std::clamp(
        (turns - config.lowFrequencyFactor) / (config.highFrequencyFactor - config.lowFrequencyFactor), 0.0, 1.0);
    frequency = (1 - keep) * frequency / config.factor + keep * frequency;
  }
  return true;
}

double yarnSharpening(double factor, double mscale) { return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1; }

bool yarn(const Request &request, std::vector<double> &frequencies, double &sharpening, std::string &error) {
  const RopeConfig &config = request.config;
  if (!need(config.factor, "factor", config, error))
    return false;
  double original = static_cast<double>(config.originalContext > 0 ? config.originalContext : request.context);
  double fast = config.betaFast > 0 ? config.betaFast : 32, slow = config.betaSlow > 0 ? config.betaSlow : 1;
  if (config.theta <= 1) {
    error = "rope type 'yarn' needs a 'rope_theta' above 1";
    return false;
  }
  // The pair (as a real number) that turns `rotations` times within the original context.
  auto pairOf = [&](double rotations) {
    return static_cast<double>(request.dims) * std::log(original / (rotations * 2 * kPi)) /
           (2 * std::log(config.theta));
  };
  double low = pairOf(fast), high = pairOf(slow);
  if (config.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(request.dims - 1));
  if (low == high)
    high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    double keep = 1 - std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / config.factor * (1 - keep) + frequencies[i] * keep;
  }
  if (config.attentionFactor > 0)
    sharpening = config.attentionFactor;
  else if (config.mscale > 0 && config.mscaleAllDims > 0)
    sharpening = yarnSharpening(config.factor, config.mscale) / yarnSharpening(config.factor, config.mscaleAllDims);
  else
    sharpening = yarnSharpening(config.factor, 1);
  return true;
}

// One row per kind. `apply` changes the frequencies of unscaled rotation, and the factor if the kind has one.
struct Kind {
  std::string_view name;
  bool (*apply)(const Request &, std::vector<double> &frequencies, double &factor, std::string &error);
};
constexpr Kind kKinds[] = {{"default", unscaled}, {"linear", linear}, {"llama3", llama3}, {"yarn", yarn}};

const Kind *findKind(std::string_view name) {
  for (const Kind &kind : kKinds)
    if (kind.name == name)
      return &kind;
  return nullptr;
}

} // namespace

bool isRopeKind(std::string_view kind) { return findKind(kind) != nullptr; }

std::string ropeKindNames() {
  std::string names;
  for (const Kind &kind : kKinds)
    names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

bool computeRope(const RopeConfig &config, int64_t dims, int64_t context, RopeNumbers &numbers, std::string &error) {
  const Kind *kind = findKind(config.kind);
  if (!kind) {
    error = "rope type '" + config.kind + "' is not supported, expected one of " + ropeKindNames();
    return false;
  }
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dims / 2; ++i)
    frequencies.push_back(std::pow(config.theta, -2.0 * static_cast<double>(i) / static_cast<double>(dims)));
  double factor = 1;
  if (!kind->apply({config, dims, context}, frequencies, factor, error))
    return false;
  numbers.inverseFrequencies.clear();
  for (double frequency : frequencies)
    numbers.inverseFrequencies.push_back(static_cast<float>(frequency));
  numbers.factor = static_cast<float>(factor);
  return true;
}

} // namespace sinter
