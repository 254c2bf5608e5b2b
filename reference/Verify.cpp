// A package against the specification. The tokens go through the package as a user's would: a prompt in prefill steps,
// then one by one through decode, so that both schedules are measured. The outputs of layers come from the runtime's
// observer and the evaluator's taps, which carry the same names. An encoder takes all tokens at once; its outputs are
// compared as vectors.

#include "reference/Verify.h"

#include "dialects/Formats.h"
#include "runtime/package_generated.h"
#include "runtime/package_layout.h"
#include "runtime/sinter.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace llvm;

namespace sinter {

// The last tokens, this share of them, go through decode.
static constexpr size_t kDecodeShare = 4;

namespace {

// What the package computed, one row per token.
struct Observed {
  size_t tokens;
  StringMap<Rows> layers;
  Rows logits;
  size_t scored = 0; // tokens whose logits are there
};

} // namespace

static void observeLayer(void *user, const sinter_observation *observation) {
  Observed &observed = *static_cast<Observed *>(user);
  Rows &rows = observed.layers[observation->name];
  if (rows.size() == 0)
    rows.setZero(observed.tokens, observation->width);
  for (uint64_t t = 0; t < observation->rows && observation->position + t < observed.tokens; ++t)
    rows.row(observation->position + t) =
        Eigen::Map<const Eigen::RowVectorXf>(observation->data + t * observation->stride, observation->width);
}

static int keepLogits(void *user, size_t, const float *logits) {
  Observed &observed = *static_cast<Observed *>(user);
  observed.logits.row(observed.scored++) = Eigen::Map<const Eigen::RowVectorXf>(logits, observed.logits.cols());
  return 0;
}

static Error runPackage(const std::string &path, sinter_session *session, ArrayRef<uint32_t> ids, Observed &observed) {
  auto fail = [&]() { return createStringError(path + ": " + sinter_session_error(session)); };
  sinter_set_observer(session, observeLayer, &observed);
  const size_t decoded = ids.size() / kDecodeShare, prompt = ids.size() - decoded;
  if (sinter_score(session, ids.data(), prompt, keepLogits, &observed) != SINTER_OK)
    return fail();
  for (uint32_t id : ids.drop_front(prompt)) {
    if (sinter_decode(session, id) != SINTER_OK)
      return fail();
    keepLogits(&observed, 0, sinter_logits(session));
  }
  return Error::success();
}

// The loosest bounds among the formats that the package's weights and caches are in. The package has been opened by the
// runtime, so its manifest is sound.
static Error findBounds(const std::string &path, VerifyReport &report) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file =
      MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError(path + ": cannot be read: " + file.getError().message());
  PackageHeader header;
  memcpy(&header, (*file)->getBufferStart(), sizeof(header));
  const package::Manifest &manifest = *package::GetManifest((*file)->getBufferStart() + header.manifestOffset);
  auto loosen = [&](std::string_view name) -> Error {
    const Format *format = findFormat(name);
    if (!format)
      return createStringError(path + ": holds the unknown format '" + StringRef(name) + "'");
    report.klBound = std::max(report.klBound, format->klBound);
    report.errorBound = std::max(report.errorBound, format->errorBound);
    return Error::success();
  };
  if (manifest.model()->formats())
    for (const package::FormatUse *use : *manifest.model()->formats())
      if (Error error = loosen(use->format()->string_view()))
        return error;
  for (const package::Cache *cache : *manifest.caches())
    if (Error error = loosen(package::EnumNameElementType(cache->element())))
      return error;
  return Error::success();
}

static LayerError compare(StringRef name, const Rows &expected, const Rows &actual) {
  const Eigen::MatrixXd difference = actual.cast<double>() - expected.cast<double>();
  LayerError error;
  error.name = name.str();
  error.largest = difference.cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  error.relative = difference.norm() / std::max(expected.cast<double>().norm(), 1e-30);
  return error;
}

// Log-probabilities of a row of logits.
static Eigen::ArrayXd logSoftmax(const Rows &logits, int64_t row) {
  const Eigen::ArrayXd x = logits.row(row).cast<double>().transpose().array();
  const double largest = x.maxCoeff<Eigen::PropagateNaN>();
  return x - (largest + std::log((x - largest).exp().sum()));
}

static void comparePredictions(const Rows &expected, const Rows &actual, VerifyReport &report) {
  report.positions = expected.rows();
  int64_t agreed = 0;
  for (int64_t t = 0; t < expected.rows(); ++t) {
    const Eigen::ArrayXd p = logSoftmax(expected, t), q = logSoftmax(actual, t);
    const double divergence = (p.exp() * (p - q)).sum();
    report.klMean += divergence / double(expected.rows());
    // Written so that NaN stays.
    report.klMax = divergence <= report.klMax ? report.klMax : divergence;
    Eigen::Index first, second;
    p.maxCoeff(&first);
    q.maxCoeff(&second);
    agreed += first == second;
  }
  report.top1Agreement = double(agreed) / double(std::max<int64_t>(report.positions, 1));
}

static Error runEncoder(const std::string &path, sinter_session *session, ArrayRef<uint32_t> ids, Observed &observed) {
  sinter_set_observer(session, observeLayer, &observed);
  sinter_encoding encoding;
  if (sinter_encode(session, ids.data(), nullptr, ids.size(), &encoding) != SINTER_OK)
    return createStringError(path + ": " + sinter_session_error(session));
  observed.logits.resize(encoding.output_rows, encoding.output_width);
  for (uint64_t row = 0; row < encoding.output_rows; ++row)
    observed.logits.row(row) = Eigen::Map<const Eigen::RowVectorXf>(encoding.output + row * encoding.output_stride,
                                                                    encoding.output_width);
  return Error::success();
}

static double smallestCosine(const Rows &expected, const Rows &actual) {
  double smallest = 1;
  for (int64_t t = 0; t < expected.rows(); ++t) {
    const Eigen::RowVectorXd a = expected.row(t).cast<double>(), b = actual.row(t).cast<double>();
    const double cosine = a.dot(b) / std::max(a.norm() * b.norm(), 1e-30);
    smallest = cosine >= smallest ? smallest : cosine; // written so that NaN stays
  }
  return smallest;
}

Expected<VerifyReport> verifyPackage(const std::string &packagePath, const sinter_model_options &options,
                                     mlir::ModuleOp specification, tx::ParamReader &reader, ArrayRef<uint32_t> ids) {
  if (ids.empty())
    return createStringError(packagePath + ": cannot be verified with no tokens");
  sinter_error problem = {};
  sinter_model *model = nullptr;
  sinter_session *session = nullptr;
  if (sinter_model_open(packagePath.c_str(), &options, &model, &problem) != SINTER_OK)
    return createStringError(problem.message);
  scope_exit close([&] {
    sinter_session_destroy(session);
    sinter_model_close(model);
  });
  if (sinter_session_create(model, nullptr, &session, &problem) != SINTER_OK)
    return createStringError(packagePath + ": " + problem.message);
  sinter_model_info info;
  sinter_model_get_info(model, &info);

  VerifyReport report;
  report.isa = info.isa;
  if (Error error = findBounds(packagePath, report))
    return std::move(error);
  Observed observed{ids.size(), {}, Rows::Zero(ids.size(), info.vocab)};
  sinter_encoder_info encoder;
  report.encoder = sinter_model_get_encoder(model, &encoder) == SINTER_OK;
  if (Error error = report.encoder ? runEncoder(packagePath, session, ids, observed)
                                   : runPackage(packagePath, session, ids, observed))
    return std::move(error);

  Error missing = Error::success();
  Evaluator evaluator(specification, reader);
  const std::vector<uint32_t> types(report.encoder ? ids.size() : 0, 0);
  Expected<Rows> expected = evaluator.forward(ids, types, [&](StringRef name, const Rows &rows) {
    auto found = observed.layers.find(name);
    if (found != observed.layers.end() && found->second.cols() == rows.cols())
      report.layers.push_back(compare(name, rows, found->second));
    else
      missing = joinErrors(std::move(missing), createStringError(packagePath + ": does not show the output of " + name +
                                                                 ", which the model has"));
  });
  if (missing) {
    consumeError(expected.takeError());
    return std::move(missing);
  }
  if (!expected)
    return expected.takeError();
  if (expected->cols() != observed.logits.cols() || expected->rows() != observed.logits.rows())
    return createStringError(packagePath + ": has " + Twine(observed.logits.cols()) + " logits, the model " +
                             Twine(expected->cols()));

  report.logits = compare(report.encoder ? "output" : "logits", *expected, observed.logits);
  if (report.encoder) {
    report.positions = int64_t(ids.size());
    report.cosine = smallestCosine(*expected, observed.logits);
  } else {
    comparePredictions(*expected, observed.logits, report);
  }
  report.passed = report.klMean <= report.klBound && report.logits.relative <= report.errorBound &&
                  all_of(report.layers, [&](const LayerError &layer) { return layer.relative <= report.errorBound; });
  return report;
}

} // namespace sinter
