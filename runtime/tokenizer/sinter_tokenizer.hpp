// sinter_tokenizer.h for C++: owning handles, vectors and strings. Header only; throws nothing of its own.
#pragma once

#include "sinter_tokenizer.h"

#include <memory>
#include <string>
#include <vector>

namespace sinter {

class Tokenizer {
public:
  // `data` must outlive the tokenizer. On failure returns false and fills `error`.
  bool open(const void *data, size_t size, std::string &error) {
    sinter_tokenizer *opened = nullptr;
    sinter_error reason = {};
    if (sinter_tokenizer_open(data, size, &opened, &reason) != SINTER_OK) {
      error = reason.message;
      return false;
    }
    handle.reset(opened);
    return true;
  }

  explicit operator bool() const { return handle != nullptr; }
  const sinter_tokenizer *get() const { return handle.get(); }

  sinter_tokenizer_info info() const {
    sinter_tokenizer_info result = {};
    sinter_tokenizer_get_info(handle.get(), &result);
    return result;
  }

  // `flags`: SINTER_ADD_SPECIAL, SINTER_PARSE_SPECIAL.
  bool encode(const std::string &text, uint32_t flags, std::vector<uint32_t> &ids, std::string &error) const {
    ids.resize(text.size() / 2 + 16);
    size_t count = 0;
    sinter_error reason = {};
    sinter_status status =
        sinter_tokenizer_encode(get(), text.data(), text.size(), flags, ids.data(), ids.size(), &count, &reason);
    if (status == SINTER_ERROR_MEMORY && count > ids.size()) {
      ids.resize(count);
      status = sinter_tokenizer_encode(get(), text.data(), text.size(), flags, ids.data(), count, &count, &reason);
    }
    ids.resize(status == SINTER_OK ? count : 0);
    if (status != SINTER_OK)
      error = reason.message;
    return status == SINTER_OK;
  }

  // Two texts' ids as one list, and the type of each token.
  bool join(const std::vector<uint32_t> &first, const std::vector<uint32_t> &second, std::vector<uint32_t> &ids,
            std::vector<uint32_t> &types, std::string &error) const {
    size_t count = 0;
    sinter_error reason = {};
    auto run = [&] {
      return sinter_tokenizer_join(get(), first.data(), first.size(), second.data(), second.size(), ids.data(),
                                   types.data(), ids.size(), &count, &reason);
    };
    ids.clear();
    types.clear();
    sinter_status status = run();
    if (status == SINTER_ERROR_MEMORY && count) {
      ids.resize(count);
      types.resize(count);
      status = run();
    }
    if (status != SINTER_OK)
      error = reason.message;
    return status == SINTER_OK;
  }

  // `flags`: SINTER_SKIP_SPECIAL, SINTER_CONTINUE.
  bool decode(const std::vector<uint32_t> &ids, uint32_t flags, std::string &text, std::string &error) const {
    text.resize(ids.size() * 8 + 16);
    size_t size = 0;
    sinter_error reason = {};
    sinter_status status =
        sinter_tokenizer_decode(get(), ids.data(), ids.size(), flags, &text[0], text.size(), &size, &reason);
    if (status == SINTER_ERROR_MEMORY && size > text.size()) {
      text.resize(size);
      status = sinter_tokenizer_decode(get(), ids.data(), ids.size(), flags, &text[0], size, &size, &reason);
    }
    text.resize(status == SINTER_OK ? size : 0);
    if (status != SINTER_OK)
      error = reason.message;
    return status == SINTER_OK;
  }

private:
  struct Close {
    void operator()(sinter_tokenizer *tokenizer) const { sinter_tokenizer_close(tokenizer); }
  };
  std::unique_ptr<sinter_tokenizer, Close> handle;
};

class Detokenizer {
public:
  // `flags`: SINTER_SKIP_SPECIAL, SINTER_CONTINUE. The tokenizer must outlive the detokenizer.
  bool create(const Tokenizer &tokenizer, uint32_t flags, std::string &error) {
    sinter_detokenizer *created = nullptr;
    sinter_error reason = {};
    if (sinter_detokenizer_create(tokenizer.get(), flags, &created, &reason) != SINTER_OK) {
      error = reason.message;
      return false;
    }
    handle.reset(created);
    return true;
  }

  // The text that this token completes; empty for an id without a token.
  std::string push(uint32_t id) {
    const char *text = "";
    size_t size = 0;
    sinter_detokenizer_push(handle.get(), id, &text, &size);
    return std::string(text, size);
  }

  std::string finish() {
    const char *text = "";
    size_t size = 0;
    sinter_detokenizer_finish(handle.get(), &text, &size);
    return std::string(text, size);
  }

private:
  struct Destroy {
    void operator()(sinter_detokenizer *detokenizer) const { sinter_detokenizer_destroy(detokenizer); }
  };
  std::unique_ptr<sinter_detokenizer, Destroy> handle;
};

} // namespace sinter
