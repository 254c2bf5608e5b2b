/* Sinter runtime, C API.
 *
 * A model is a compiled package: opened once, read-only, shared by any number of sessions on any threads. A session is
 * one sequence being written: its KV cache, its working memory, its threads. One session is used by one thread at a
 * time; callbacks may look at the session that calls them, but not change it. Nothing here aborts, throws, prints or
 * keeps global state; every call that can fail returns a sinter_status, and sinter_session_error() (or the `error`
 * argument while there is no session yet) says what went wrong.
 *
 * All memory is sized when a session is created; afterwards nothing is allocated.
 *
 *   sinter_model *model;
 *   sinter_session *session;
 *   sinter_error error;
 *   if (sinter_model_open("tales.sinter", NULL, &model, &error) != SINTER_OK) { puts(error.message); return 1; }
 *   sinter_session_create(model, NULL, &session, &error);
 *   sinter_prefill(session, ids, count);
 *   for (int i = 0; i < 100; ++i) {
 *     uint32_t id;
 *     sinter_sample(session, &id);
 *     sinter_decode(session, id);
 *   }
 */
#ifndef SINTER_H
#define SINTER_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define SINTER_API
#else
#define SINTER_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SINTER_API_VERSION 1

typedef enum sinter_status {
  SINTER_OK = 0,
  SINTER_ERROR_ARGUMENT = 1,    /* a null pointer, an id past the vocabulary, a struct of another API version */
  SINTER_ERROR_IO = 2,          /* the file cannot be opened, read or mapped */
  SINTER_ERROR_FORMAT = 3,      /* not a package, damaged, or of another format version */
  SINTER_ERROR_UNSUPPORTED = 4, /* the package has no code for this CPU, or not the code asked for */
  SINTER_ERROR_MEMORY = 5,      /* not enough memory, or the caller's block is too small or misaligned */
  SINTER_ERROR_CONTEXT = 6,     /* the sequence would grow past the session's context */
  SINTER_ERROR_CANCELLED = 7,   /* a callback or sinter_cancel() asked to stop */
  SINTER_ERROR_THREAD = 8,      /* a worker thread could not be started */
  SINTER_ERROR_DEVICE = 9       /* there is no such device, or no driver; or the device was lost */
} sinter_status;

/* Filled by calls that fail before there is an object to ask. `message` is always terminated. */
typedef struct sinter_error {
  sinter_status status;
  char message[256];
} sinter_error;

typedef struct sinter_model sinter_model;
typedef struct sinter_session sinter_session;
/* Computes on a GPU: see sinter_device.h. */
typedef struct sinter_device_backend sinter_device_backend;

/* "0.1.0" */
SINTER_API const char *sinter_version(void);
/* A short lower-case phrase for a status, e.g. "context is full". */
SINTER_API const char *sinter_status_text(sinter_status status);

/* ---- Log ---------------------------------------------------------------------------------------------------------- */

typedef enum sinter_log_level {
  SINTER_LOG_ERROR = 0,   /* what a failing call also says in its sinter_error */
  SINTER_LOG_WARNING = 1, /* works, but not as well as it could: code copied because its file may not be executed from */
  SINTER_LOG_INFO = 2     /* what was opened, which code was chosen, what sessions take */
} sinter_log_level;

/* Called by the thread that called the runtime, before that call returns. `message` is one line without its end. */
typedef void (*sinter_log_callback)(void *user, sinter_log_level level, const char *message);

/* ---- Models --------------------------------------------------------------------------------------------------- */

/* Bytes that hold what the runtime keeps of an opened model, whatever the model. */
#define SINTER_MODEL_BYTES 448

typedef struct sinter_model_options {
  uint32_t api_version; /* SINTER_API_VERSION */
  const char *isa;      /* take this code section ("x86-64", "x86-64-avx2", ...); NULL: the one that the environment
                           variable SINTER_ISA names, or where that is not set the best this CPU runs */
  uint64_t offset;      /* sinter_model_open: the package starts at this byte of the file, a multiple of 4096 ... */
  uint64_t size;        /* ... and has this many bytes; 0: all that follow */
  void *memory;         /* NULL: allocated; else SINTER_MODEL_BYTES, 16-byte aligned, kept by the caller */
  size_t memory_size;
  int facts_only;       /* 1: open it to ask for facts and plans, also of code for other machines; nothing is made
                           executable, and sessions cannot be created */
  const sinter_device_backend *backend; /* NULL: the CPU; else weights are uploaded to the device, and `isa` is ignored */
  uint32_t device;      /* which of the backend's, in the order it lists them */
  sinter_log_callback log; /* NULL: nobody. Also called about the model's sessions, on the threads that use them */
  void *log_user;
} sinter_model_options;

/* Maps a package. The file must stay as it is while the model is open: putting another file in its place is safe, since
 * the old one lives on until the model is closed; writing into it or cutting it short is not (what is cut off ends the
 * process with SIGBUS when it is touched, as with every mapped file). Where others may do that, read the file into
 * memory of your own and open that. `options` may be NULL. */
SINTER_API sinter_status sinter_model_open(const char *path, const sinter_model_options *options, sinter_model **model,
                                           sinter_error *error);
/* The same for a package that is in memory already, 64-byte aligned; the bytes must outlive the model. Code is copied
 * to executable pages. */
SINTER_API sinter_status sinter_model_open_memory(const void *data, size_t size, const sinter_model_options *options,
                                                  sinter_model **model, sinter_error *error);
/* The same for a package in three pieces: how a model that is linked into a program lies in its sections, each used
 * where it is. Everything before the code sections, the code sections, the weights; one after the other they are the package.
 * `code` must be executable already, or else be mapped from a file. All of them are 64-byte aligned. */
typedef struct sinter_parts {
  uint32_t api_version; /* SINTER_API_VERSION */
  const char *name;     /* what messages call the model; NULL: "linked model" */
  const void *head;
  size_t head_size;
  const void *code;
  size_t code_size;
  const void *weights; /* NULL: mapped from `weights_path`, a file that sinterc wrote */
  size_t weights_size;
  const char *weights_path;
} sinter_parts;
SINTER_API sinter_status sinter_model_open_parts(const sinter_parts *parts, const sinter_model_options *options,
                                                 sinter_model **model, sinter_error *error);
/* A model with sessions lives on until the last of them is destroyed. NULL is allowed. */
SINTER_API void sinter_model_close(sinter_model *model);

/* Numbers as the model's files have them; negative where they say nothing. */
typedef struct sinter_generation_defaults {
  int do_sample;
  float temperature;
  int top_k;
  float top_p;
  float min_p;
  float repetition_penalty;
} sinter_generation_defaults;

typedef struct sinter_model_info {
  const char *name;           /* owned by the model, as all pointers here */
  const char *family;         /* "llama", "qwen3", ... */
  const char *compiler;       /* "sinter 0.1.0" */
  const char *isa;            /* the code section in use */
  const char *device;         /* "cpu", or the backend's name */
  uint32_t vocab;             /* logits per position */
  uint32_t hidden;            /* floats per hidden row */
  uint32_t layers;
  uint32_t context;           /* largest number of tokens in a sequence */
  uint32_t prefill_tokens;    /* tokens computed at once by prefill; longer prompts go in several steps */
  uint64_t parameters;
  int32_t bos;                /* -1: none */
  const uint32_t *eos;        /* [eos_count] */
  uint32_t eos_count;
  sinter_generation_defaults generation;
  const void *tokenizer;      /* section for the tokenizer library, or NULL */
  size_t tokenizer_size;
  const char *chat_template;  /* Jinja text, or NULL */
} sinter_model_info;

SINTER_API void sinter_model_get_info(const sinter_model *model, sinter_model_info *info);
/* Reads the whole weights section and compares its checksum. */
SINTER_API sinter_status sinter_model_check(const sinter_model *model, sinter_error *error);

/* What a token adds to a text in which it is not the first: bytes, possibly a part of a character, not terminated, owned
 * by the model; none for special tokens. For showing what is generated where the tokenizer library would be too much.
 * SINTER_ERROR_UNSUPPORTED: the package has no tokenizer; SINTER_ERROR_ARGUMENT: there is no such token. */
SINTER_API sinter_status sinter_token_text(const sinter_model *model, uint32_t id, const char **text, size_t *size);

/* ---- Memory --------------------------------------------------------------------------------------------------- */

/* Exact bytes, known before anything is allocated. */
typedef struct sinter_memory_plan {
  uint64_t total;     /* all that follows, each byte once: weights + code + manifest + tokenizer + model + block */
  uint64_t weights;   /* mapped from the package, shared by all sessions and processes */
  uint64_t code;      /* machine code of the ISA in use, mapped */
  uint64_t manifest;  /* mapped */
  uint64_t tokenizer; /* its section, mapped; what the tokenizer library makes of it is not counted */
  uint64_t model;     /* what the opened model keeps besides; sinter_model_options.memory */
  uint64_t block;     /* what sinter_session_options.memory must hold, made of: */
  uint64_t cache;     /* keys and values for `context` tokens */
  uint64_t arena;     /* activations */
  uint64_t scratch;   /* of all threads; the same for each */
  uint64_t stacks;    /* of the worker threads that the session starts, one less than `threads`; the same for each */
  uint64_t session;   /* everything else a session keeps, sampler included */
  uint64_t device;    /* on the GPU, where the model was opened on one, and not in the total: weights, cache and arena. The
                         latter two are then 0 above, and the weights are read from the package once */
  uint32_t threads;   /* that the session will have */
  uint32_t context;   /* tokens that it will have room for */
} sinter_memory_plan;

typedef struct sinter_session_options {
  uint32_t api_version; /* SINTER_API_VERSION */
  uint32_t threads;     /* 0: as many as the process may use (affinity and cgroup limits) */
  uint32_t context;     /* 0: the model's; else at most that */
  void *memory;         /* NULL: allocated; else plan.block bytes, 64-byte aligned, kept by the caller */
  size_t memory_size;
} sinter_session_options;

/* `options` may be NULL. */
SINTER_API sinter_status sinter_plan(const sinter_model *model, const sinter_session_options *options,
                                     sinter_memory_plan *plan, sinter_error *error);

/* ---- Sessions -------------------------------------------------------------------------------------------------- */

SINTER_API sinter_status sinter_session_create(const sinter_model *model, const sinter_session_options *options,
                                               sinter_session **session, sinter_error *error);
/* NULL is allowed. */
SINTER_API void sinter_session_destroy(sinter_session *session);
/* What the last failed call on this session said; "" if none failed. */
SINTER_API const char *sinter_session_error(const sinter_session *session);

/* Appends `count` >= 1 tokens and computes the logits that follow the last one. On an error the sequence is as before. */
SINTER_API sinter_status sinter_prefill(sinter_session *session, const uint32_t *ids, size_t count);
/* Appends one token; the same as sinter_prefill with one, by the kernels made for it. */
SINTER_API sinter_status sinter_decode(sinter_session *session, uint32_t id);
/* Logits after the last token, f32 [vocab], valid until the next call on the session; NULL before the first token. On a
 * GPU they are read back when they are asked for; NULL if that fails. */
SINTER_API const float *sinter_logits(sinter_session *session);
/* Appends tokens as sinter_prefill does and calls back with the logits after each one, in order. `index` counts from 0.
 * A non-zero return stops: SINTER_ERROR_CANCELLED, and the sequence holds the tokens of the steps done so far (a step
 * appends up to sinter_model_info.prefill_tokens at once). */
typedef int (*sinter_logits_callback)(void *user, size_t index, const float *logits);
SINTER_API sinter_status sinter_score(sinter_session *session, const uint32_t *ids, size_t count,
                                      sinter_logits_callback callback, void *user);
/* Stops the call that another thread is in, or if there is none the next one that computes: it returns
 * SINTER_ERROR_CANCELLED, at the latest when the kernels that are running are done, and the sequence holds the tokens of
 * the steps done so far. The one function that may be called while another call on the session is running, from any thread
 * and from signal handlers. */
SINTER_API void sinter_cancel(sinter_session *session);
/* Tokens in the sequence. */
SINTER_API uint32_t sinter_position(const sinter_session *session);
SINTER_API uint32_t sinter_threads(const sinter_session *session);
/* Forgets the sequence. The sampler's random state stays. */
SINTER_API void sinter_reset(sinter_session *session);
/* Forgets everything from `position` on; with it the logits, until the next token. Layers with a sliding window keep only
 * their window: going back further than they hold is SINTER_ERROR_CONTEXT. */
SINTER_API sinter_status sinter_truncate(sinter_session *session, uint32_t position);

/* ---- Sampling --------------------------------------------------------------------------------------------------- */

/* Applied in this order: repetition penalty, temperature, top-k, top-p, min-p. All zero, as in a new session, means
 * greedy. */
typedef struct sinter_sampler {
  float temperature;        /* 0: greedy, the others but the penalty are ignored */
  uint32_t top_k;           /* 0: off */
  float top_p;              /* 0 or 1: off */
  float min_p;              /* 0: off; keeps p >= min_p * max p */
  float repetition_penalty; /* 0 or 1: off; logits of tokens in the last `repetition_window` are divided (or, if
                               negative, multiplied) by it (Keskar et al. 2019) */
  uint32_t repetition_window; /* 0: the whole sequence */
  uint64_t seed;            /* the same seed, model and calls give the same tokens on every machine of one ISA */
} sinter_sampler;

/* Starts the random numbers of `seed` anew. */
SINTER_API sinter_status sinter_set_sampler(sinter_session *session, const sinter_sampler *sampler);
/* Chooses the next token from the current logits. Does not append it. Ties go to the smaller id. */
SINTER_API sinter_status sinter_sample(sinter_session *session, uint32_t *id);

/* Called with each token; a non-zero return stops after it. */
typedef int (*sinter_token_callback)(void *user, uint32_t id);
/* sample, callback, append, until `max_tokens` were made, the context is full, one of the model's eos tokens came
 * (it is not passed on; `ignore_eos` makes it a token like others), or the callback stops it; each of these is SINTER_OK.
 * Every token that was passed to the callback is in the sequence afterwards. Needs logits: call sinter_prefill first.
 * `callback` may be NULL. `generated` (may be NULL) counts the tokens that were passed on. */
SINTER_API sinter_status sinter_generate(sinter_session *session, uint32_t max_tokens, int ignore_eos,
                                         sinter_token_callback callback, void *user, uint32_t *generated);

/* ---- Encoders ---------------------------------------------------------------------------------------------------- */

typedef enum sinter_task {
  SINTER_EMBED = 0,    /* one vector for a text */
  SINTER_CLASSIFY = 1, /* one row of logits, one for each label */
  SINTER_TAG = 2       /* such a row for each token */
} sinter_task;

typedef struct sinter_encoder_info {
  sinter_task task;
  uint32_t output_width; /* floats of a vector, or labels */
  uint32_t tokens;       /* most tokens of a text */
  uint32_t types;        /* token types; 0: the model has none */
  const char *pooling;   /* "mean", "first", "last", "max", or "": how a vector is made of the hidden rows */
  int unit;              /* vectors have length 1 */
  int multi_label;       /* labels are independent: a logit's sigmoid is its probability; else the softmax of all */
} sinter_encoder_info;
/* SINTER_ERROR_UNSUPPORTED if the model is not an encoder. */
SINTER_API sinter_status sinter_model_get_encoder(const sinter_model *model, sinter_encoder_info *info);
/* The label of logit `index`, owned by the model; NULL if there is none. */
SINTER_API const char *sinter_model_label(const sinter_model *model, uint32_t index);

/* What became of a text; all of it belongs to the session and is valid until its next call. */
typedef struct sinter_encoding {
  const float *hidden;     /* [tokens][hidden_stride], of which the first sinter_model_info.hidden floats count */
  const float *output;     /* [output_rows][output_stride], of which the first output_width floats count */
  uint64_t tokens;
  uint64_t hidden_stride;
  uint64_t output_rows;    /* 1, or as many as tokens */
  uint64_t output_width;
  uint64_t output_stride;
} sinter_encoding;
/* Encodes one text of `count` >= 1 tokens. `types` gives the type of each, or is NULL: all are of type 0. Every text
 * stands for itself: there is no padding, and results do not depend on texts before it. */
SINTER_API sinter_status sinter_encode(sinter_session *session, const uint32_t *ids, const uint32_t *types, size_t count,
                                       sinter_encoding *encoding);
/* ---- Programs ---------------------------------------------------------------------------------------------------
 *
 * A package of any other model: named tensors in, named tensors out.
 *
 *   int64_t shape[2] = {1, 12};
 *   sinter_set_input(session, sinter_find_input(model, "input_ids"), shape, 2, ids, sizeof(ids));
 *   sinter_execute(session);
 *   sinter_tensor result;
 *   sinter_get_output(session, 0, &result);
 */

typedef enum sinter_type {
  SINTER_F32, SINTER_F16, SINTER_BF16, SINTER_F64, SINTER_I8, SINTER_U8, SINTER_I16, SINTER_U16, SINTER_I32, SINTER_U32,
  SINTER_I64, SINTER_U64, SINTER_BOOL /* a byte, 0 or 1 */
} sinter_type;

#define SINTER_MOST_RANK 16
#define SINTER_NONE UINT32_MAX

typedef struct sinter_port {
  const char *name;                        /* owned by the model, as all pointers here */
  sinter_type type;
  uint32_t rank;
  int64_t dims[SINTER_MOST_RANK];          /* -1: known when the program runs */
  const char *dim_names[SINTER_MOST_RANK]; /* of an input's unknown dims, e.g. "sequence"; else NULL */
  uint64_t most[SINTER_MOST_RANK];         /* that an input's dim may be */
} sinter_port;

/* 0 if the model is not a program. */
SINTER_API uint32_t sinter_input_count(const sinter_model *model);
SINTER_API uint32_t sinter_output_count(const sinter_model *model);
SINTER_API sinter_status sinter_get_input(const sinter_model *model, uint32_t index, sinter_port *port);
SINTER_API sinter_status sinter_get_output_port(const sinter_model *model, uint32_t index, sinter_port *port);
/* The index of an input or output by its name; SINTER_NONE if there is none. */
SINTER_API uint32_t sinter_find_input(const sinter_model *model, const char *name);
SINTER_API uint32_t sinter_find_output(const sinter_model *model, const char *name);
/* "f32", "i64", ... and the bytes of one element. */
SINTER_API const char *sinter_type_text(sinter_type type);
SINTER_API uint32_t sinter_type_bytes(sinter_type type);

/* Copies a row-major tensor into the session; `size` is in bytes. It stays until the input is set again. */
SINTER_API sinter_status sinter_set_input(sinter_session *session, uint32_t index, const int64_t *shape, uint32_t rank,
                                          const void *data, size_t size);
/* The same without the copy: the shape is set, and `*data` is where its bytes are to be written before the next run. */
SINTER_API sinter_status sinter_bind_input(sinter_session *session, uint32_t index, const int64_t *shape, uint32_t rank,
                                           void **data);
/* Computes all outputs. Every input must have been set, and dims of one name must be equal. */
SINTER_API sinter_status sinter_execute(sinter_session *session);

typedef struct sinter_tensor {
  sinter_type type;
  uint32_t rank;
  int64_t shape[SINTER_MOST_RANK];
  const void *data; /* row-major, in the session, valid until its next call */
  size_t size;      /* bytes */
} sinter_tensor;
SINTER_API sinter_status sinter_get_output(sinter_session *session, uint32_t index, sinter_tensor *tensor);

/* ---- Looking inside ---------------------------------------------------------------------------------------------- */

/* The output of a layer for the tokens of one step: f32 rows of `width` floats, `stride` floats apart. */
typedef struct sinter_observation {
  const char *name; /* "layers.3" */
  const float *data;
  uint64_t rows;
  uint64_t width;
  uint64_t stride;
  uint64_t position; /* of the first row */
} sinter_observation;

/* Called from the thread that called prefill or decode, after each layer of each step. NULL takes it away. */
typedef void (*sinter_observer)(void *user, const sinter_observation *observation);
SINTER_API void sinter_set_observer(sinter_session *session, sinter_observer observer, void *user);

/* ---- Measuring -------------------------------------------------------------------------------------------------- */

/* One thread's part of one dispatch, in nanoseconds of a clock that only moves forward and that all threads share.
 * Before `begin` the thread may have waited for the others. After an entry's last dispatch comes one more event, with
 * `dispatch` being the number of dispatches, for the wait that ends every entry; nothing is computed in it. */
typedef struct sinter_dispatch_event {
  const char *entry;  /* "prefill", "decode", "head"; owned by the model */
  uint32_t dispatch;  /* its place in the entry, from 0 */
  uint32_t thread;    /* 0: the one that called prefill or decode */
  uint64_t arrived;   /* the thread was done with what came before */
  uint64_t begin;     /* the others had arrived too, if they had to */
  uint64_t end;       /* the thread had computed its part */
  uint64_t tokens;    /* of the step */
  uint64_t position;  /* of the step's first token */
} sinter_dispatch_event;

/* Called after each dispatch on the thread that did the work, so by several at once; all calls have returned when the
 * call that did the work returns. The time it takes is not in its thread's events, but others may wait for it. Without
 * one no clock is read. NULL takes it away. */
typedef void (*sinter_profiler)(void *user, const sinter_dispatch_event *event);
SINTER_API void sinter_set_profiler(sinter_session *session, sinter_profiler profiler, void *user);

/* What a dispatch is. */
typedef struct sinter_dispatch_info {
  const char *kernel; /* name of its kernel; owned by the model, as all pointers here */
  const char *kind;   /* "linear", "attention", ...; "" if the package does not say */
  int barrier;        /* all threads meet before it */
  int int8;           /* its multiply-adds are of 8-bit integers, else of floats */
} sinter_dispatch_info;
/* What it has to do in a step, however it does it: the least that must be read, and the products that the model is
 * made of. Zero where the package does not say. */
typedef struct sinter_dispatch_work {
  uint64_t weight_bytes;  /* of weights */
  uint64_t cache_bytes;   /* of keys and values of earlier and this step's tokens, each read once */
  uint64_t multiply_adds; /* a multiplication and an addition count as one */
} sinter_dispatch_work;

/* Dispatches of an entry ("prefill", "decode", "head"); 0 if there is no such entry. */
SINTER_API uint32_t sinter_dispatch_count(const sinter_model *model, const char *entry);
SINTER_API sinter_status sinter_get_dispatch(const sinter_model *model, const char *entry, uint32_t dispatch,
                                             sinter_dispatch_info *info);
/* For a step of `tokens` tokens, the first of which is at `position`. */
SINTER_API sinter_status sinter_get_work(const sinter_model *model, const char *entry, uint32_t dispatch,
                                         uint64_t tokens, uint64_t position, sinter_dispatch_work *work);

/* A kernel that does one thing as fast as the code section in use can, to measure the machine with. */
typedef struct sinter_yardstick {
  uint64_t unit_bytes;         /* of the data given, that each unit reads for itself */
  uint64_t shared_bytes;       /* that all units read, again and again */
  uint64_t unit_multiply_adds; /* a multiplication and an addition count as one */
} sinter_yardstick;
/* `kind`: "read" (memory), "dot" (8-bit integers; data should be bytes of 0 to 15), "fma" (floats; data should be floats
 * around 1). SINTER_ERROR_UNSUPPORTED if the package has none. */
SINTER_API sinter_status sinter_get_yardstick(const sinter_model *model, const char *kind, sinter_yardstick *yardstick);
/* Runs `units` units on the session's threads over `size` bytes at `data`, 64-byte aligned: shared_bytes + units *
 * unit_bytes. `nanoseconds` is the time that passed. The sequence stays as it is. */
SINTER_API sinter_status sinter_run_yardstick(sinter_session *session, const char *kind, const void *data, size_t size,
                                              uint32_t units, uint64_t *nanoseconds);

#ifdef __cplusplus
}
#endif
#endif
