// An opened package: where its parts are in memory, after everything in it has been checked.
#pragma once

#include "runtime/package_generated.h"
#include "runtime/package_layout.h"
#include "runtime/sinter.h"
#include "runtime/sinter_device.h"

namespace sinter::runtime {

// Bytes [offset, offset + size) of a package.
struct Part {
  uint64_t offset, size;
  const uint8_t *data;
  bool mapped; // our mapping of a file, not the caller's memory
};

} // namespace sinter::runtime

struct sinter_model {
  char label[128];                // what messages call it: the path, or "package in memory"
  sinter::runtime::Part parts[3]; // in order and without gaps; those not used are empty
  uint64_t fileBytes;             // of all parts
  uint64_t weightsChecksum;       // that a file of weights claims; 0: they came with the package
  uint32_t users;                 // who opened it and has not closed it yet, and sessions
  sinter_log_callback log;        // null: nobody listens
  void *logUser;
  bool owned;       // this object is ours to free
  bool factsOnly;   // whatever machine its code is for, it is not executed
  bool codeInPlace; // code may be executed where it is

  const sinter::package::Manifest *manifest;
  uint64_t manifestBytes;
  const sinter::package::Code *code; // the section in use
  const uint8_t *instructions;       // [code->range().size()], executable
  bool codeCopied;                   // `instructions` are pages of our own

  // Of a decoder the first three, of an encoder `encode` and mostly `head`; else null. All of the device in use.
  const sinter::package::Entry *prefill, *decode, *head, *encode;
  const sinter_device_backend *backend; // null: the CPU
  uint32_t deviceNumber;                // among the backend's
  void *onDevice;                       // what the backend made of the package
  const sinter::package::Entry *exec, *sizes; // of a program; `sizes` may be null
};

namespace sinter::runtime {

// Where the package's bytes [offset, offset + size) are; null if no part holds all of them.
const uint8_t *bytesAt(const sinter_model *model, uint64_t offset, uint64_t size);
inline const uint8_t *weightsOf(const sinter_model *model) {
  return bytesAt(model, model->manifest->weights()->offset(), model->manifest->weights()->size());
}

// Tells the model's log.
__attribute__((format(printf, 3, 4))) void tell(const sinter_model *model, sinter_log_level level, const char *format,
                                                ...);

// One user more or less; without users the model goes away.
void holdModel(const sinter_model *model);
void releaseModel(const sinter_model *model);

// SINTER_ERROR_FORMAT with a message that starts with what the package is called.
__attribute__((format(printf, 3, 4))) sinter_status damaged(const sinter_model *model, sinter_error *error,
                                                            const char *format, ...);

// What backends get. The model must have its code.
sinter_device_program programOf(const sinter_model *model);

// Null vectors of the manifest count as empty.
template <class Vector> uint32_t count(const Vector *vector) { return vector ? vector->size() : 0; }

// Whether a FlatBuffer's structure is sound. As the library's VerifyBuffer, without the comparison of identifiers, which would
// take strncmp from libc.
template <class Table> bool isSound(flatbuffers::Verifier &verifier, const uint8_t *bytes, size_t size) {
  flatbuffers::uoffset_t root = size >= 8 ? verifier.VerifyOffset(0) : 0;
  return root && reinterpret_cast<const Table *>(bytes + root)->Verify(verifier);
}

// Checks the header and the manifest of model->file and fills manifest and manifestBytes. Reads
// nothing outside of the file whatever it holds.
sinter_status checkPackage(sinter_model *model, sinter_error *error);
// The same for one code section; its checksum included.
sinter_status checkCode(const sinter_model *model, const package::Code *code, sinter_error *error);
// Offsets and sizes of everything dispatches bind, against the spaces they lie in; fills prefill, decode and
// head, which stay null if there are none for the device in use.
sinter_status checkSchedule(sinter_model *model, sinter_error *error);

// Most tokens of one step of what takes tokens.
inline uint32_t mostTokens(const sinter_model *model) {
  return (model->encode ? model->encode : model->prefill)->max_tokens();
}

// Inputs, outputs, dimensions and checks of a program, whose entries have been found.
sinter_status checkProgram(const sinter_model *model, sinter_error *error);
// Bytes of one element; 0: there is no such type.
uint32_t elementBytes(package::TensorType type);

// Most units a dispatch can have in a step of its entry.
inline uint64_t unitsFor(const package::Grid &grid, uint64_t tokens) {
  if (grid.tokens_per_unit() == 0)
    return grid.units();
  return grid.units() * ((tokens + grid.tokens_per_unit() - 1) / grid.tokens_per_unit());
}

} // namespace sinter::runtime
