// An ONNX file is one protobuf message with the weights inside. Parsing it as it is would hold them in memory twice, so
// it is first copied without them: a walk over the wire format, down the fields that can hold tensors, replaces large
// raw_data by the place where it lies, in the form in which ONNX names external files. Only the copy is parsed.
//
// Nothing in the file is trusted: lengths are compared with what is left before they are used, nesting is bounded, and
// what the walk cannot follow is an error that names the byte.

#include "frontend/onnx/ModelFile.h"
#include "frontend/InputFile.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <charconv>
#include <vector>

namespace sinter::onnx_import {

namespace {

enum class Message { model, graph, node, attribute, tensor, function };

// Fields that hold messages which can hold tensors.
constexpr struct {
  Message in;
  uint32_t field;
  Message holds;
} kNested[] = {
    {Message::model, 7, Message::graph},       {Message::model, 25, Message::function},
    {Message::function, 7, Message::node},     {Message::graph, 1, Message::node},
    {Message::graph, 5, Message::tensor},      {Message::node, 5, Message::attribute},
    {Message::attribute, 5, Message::tensor},  {Message::attribute, 10, Message::tensor},
    {Message::attribute, 6, Message::graph},   {Message::attribute, 11, Message::graph},
};
constexpr uint32_t kRawData = 9, kExternalData = 13, kDataLocation = 14; // of TensorProto
constexpr int kMostDepth = 64;

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void putVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void putBytes(std::string &out, uint32_t field, const std::string &bytes) {
  putVarint(out, field << 3 | kBytes);
  putVarint(out, bytes.size());
  out += bytes;
}

std::string entry(const std::string &key, const std::string &value) {
  std::string result;
  putBytes(result, 1, key);
  putBytes(result, 2, value);
  return result;
}

class Stripper {
public:
  explicit Stripper(const std::string &file) : file(file) {}

  // Copies the message in bytes [begin, end) to `out`. False if it is not well formed, at byte `bad`.
  bool strip(Message message, uint64_t begin, uint64_t end, std::string &out, int depth = 0) {
    uint64_t raw = 0, rawBytes = 0;
    for (uint64_t at = begin; at < end;) {
      const uint64_t start = at;
      uint64_t tag, length = 0;
      if (depth > kMostDepth || !varint(at, end, tag))
        return fail(start);
      const uint64_t field = tag >> 3;
      switch (tag & 7) {
      case kVarint:
        if (!varint(at, end, length))
          return fail(start);
        break;
      case kFixed64:
      case kFixed32:
        length = (tag & 7) == kFixed64 ? 8 : 4;
        if (length > end - at)
          return fail(start);
        at += length;
        break;
      case kBytes:
        if (!varint(at, end, length) || length > end - at)
          return fail(start);
        at += length;
        break;
      default:
        return fail(start);
      }
      if ((tag & 7) == kBytes) {
        const uint64_t from = at - length;
        if (message == Message::tensor && field == kRawData && length > kInlineBytes) {
          raw = from;
          rawBytes = length;
          continue;
        }
        bool nested = false;
        for (const auto &rule : kNested) {
          if (rule.in != message || rule.field != field)
            continue;
          std::string inner;
          if (!strip(rule.holds, from, at, inner, depth + 1))
            return false;
          putBytes(out, static_cast<uint32_t>(field), inner);
          nested = true;
        }
        if (nested)
          continue;
      }
      out.append(file, start, at - start);
    }
    if (rawBytes) {
      putBytes(out, kExternalData, entry("location", ""));
      putBytes(out, kExternalData, entry("offset", std::to_string(raw)));
      putBytes(out, kExternalData, entry("length", std::to_string(rawBytes)));
      putVarint(out, kDataLocation << 3 | kVarint);
      putVarint(out, ::onnx::TensorProto::EXTERNAL);
    }
    return true;
  }

  uint64_t bad = 0;

private:
  bool fail(uint64_t at) {
    bad = at;
    return false;
  }
  bool varint(uint64_t &at, uint64_t end, uint64_t &value) const {
    value = 0;
    for (int shift = 0; shift < 64 && at < end; shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(file[at++]);
      value |= uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80)
        return true;
    }
    return false;
  }

  const std::string &file;
};

// A decimal number and nothing else.
bool parseNumber(const std::string &text, uint64_t &value) {
  std::from_chars_result parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

// Relative, and not upwards.
bool staysInside(const std::string &location) {
  if (location.empty() || location[0] == '/' || location.find('\\') != std::string::npos ||
      location.find('\0') != std::string::npos)
    return false;
  for (size_t begin = 0; begin <= location.size();) {
    size_t end = std::min(location.find('/', begin), location.size());
    if (location.compare(begin, end - begin, "..") == 0)
      return false;
    begin = end + 1;
  }
  return true;
}

} // namespace

bool readModelFile(const std::string &path, ModelFile &model, std::string &error) {
  model.path = path;
  const size_t slash = path.rfind('/');
  model.directory = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  InputFile file;
  if (!file.open(path, error))
    return false;
  constexpr uint64_t kMostBytes = uint64_t(1) << 31; // what a protobuf message may have
  if (file.size() >= kMostBytes) {
    error = path + ": has " + std::to_string(file.size()) + " bytes, an ONNX file has less than 2 GiB; keep large "
            "weights as external data";
    return false;
  }
  std::string bytes(file.size(), 0), slim;
  if (!file.read(0, bytes.size(), bytes.data(), error))
    return false;
  Stripper stripper(bytes);
  if (!stripper.strip(Message::model, 0, bytes.size(), slim)) {
    error = path + ": is not an ONNX model: not a protobuf message at byte " + std::to_string(stripper.bad);
    return false;
  }
  bytes = std::string();
  google::protobuf::io::ArrayInputStream stream(slim.data(), static_cast<int>(slim.size()));
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetRecursionLimit(4 * kMostDepth);
  if (!model.proto.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage() || !model.proto.has_graph()) {
    error = path + ": is not an ONNX model" + (model.proto.has_graph() ? "" : ": it has no graph");
    return false;
  }
  return true;
}

bool findExternalData(const ModelFile &model, const ::onnx::TensorProto &tensor, DataRange &range,
                      std::string &error) {
  const std::string what = model.path + ": tensor " + quote(tensor.name()) + ": ";
  std::string location;
  bool hasLength = false;
  for (const ::onnx::StringStringEntryProto &entry : tensor.external_data()) {
    bool good = true;
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      good = parseNumber(entry.value(), range.offset);
    else if (entry.key() == "length")
      good = hasLength = parseNumber(entry.value(), range.size);
    if (!good) {
      error = what + entry.key() + " of its external data is " + quote(entry.value()) + ", expected a number";
      return false;
    }
  }
  if (location.empty()) {
    range.file = model.path;
  } else if (!staysInside(location)) {
    error = what + "its external data is in " + quote(location) + ", expected a path inside of the model's directory";
    return false;
  } else {
    range.file = model.directory + "/" + location;
  }
  InputFile file;
  if (!file.open(range.file, error)) {
    error = what + error;
    return false;
  }
  if (range.offset <= file.size() && !hasLength)
    range.size = file.size() - range.offset;
  if (range.offset > file.size() || range.size > file.size() - range.offset) {
    error = what + "its data are bytes [" + std::to_string(range.offset) + ", " +
            std::to_string(range.offset + range.size) + ") of " + range.file + ", which has " +
            std::to_string(file.size());
    return false;
  }
  return true;
}

} // namespace sinter::onnx_import
