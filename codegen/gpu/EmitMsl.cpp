// In: SPIR-V modules, one for each kernel. Out: a text in the Metal Shading Language for each, made by SPIRV-Cross. Metal
// thus gets the kernels that Vulkan gets, from the same passes, and compiles the texts when a model is opened.
//
// Binding i of descriptor set 0 is buffer i, so a package describes both kinds of modules alike. Arrays stay arrays:
// SPIRV-Cross's own class for them would be copied element by element. What SPIR-V says about contraction is dropped: it
// would make a call, which must not be optimized, of every addition. Metal's compiler fuses a product and a sum at most,
// since the runtime asks for no fast mathematics, and that is as good. What the runtime could not provide, such as sizes
// of buffers or values of specialization constants, is an error here and not a wrong number there.

#include "codegen/gpu/EmitMsl.h"

#include <cstring>
#include <spirv_cross/spirv_cross_c.h>

namespace sinter {

namespace {

class Translation {
public:
  explicit Translation(const std::string &name) : name(name) {}
  ~Translation() {
    if (context)
      spvc_context_destroy(context);
  }
  Translation(const Translation &) = delete;
  Translation &operator=(const Translation &) = delete;

  llvm::Expected<std::string> run(const uint32_t *words, size_t count, size_t buffers) {
    spvc_parsed_ir parsed = nullptr;
    if (spvc_context_create(&context) != SPVC_SUCCESS)
      return llvm::createStringError("kernel '%s': SPIRV-Cross does not start", name.c_str());
    if (spvc_context_parse_spirv(context, words, count, &parsed) != SPVC_SUCCESS ||
        spvc_context_create_compiler(context, SPVC_BACKEND_MSL, parsed, SPVC_CAPTURE_MODE_TAKE_OWNERSHIP, &compiler) !=
            SPVC_SUCCESS ||
        setOptions() != SPVC_SUCCESS || setBuffers(buffers) != SPVC_SUCCESS)
      return failure(spvc_context_get_last_error_string(context));
    for (SpvId id = 1; id < words[kBoundWord]; ++id)
      if (spvc_compiler_has_decoration(compiler, id, SpvDecorationNoContraction))
        spvc_compiler_unset_decoration(compiler, id, SpvDecorationNoContraction);
    const spvc_specialization_constant *constants = nullptr;
    size_t constantCount = 0;
    if (spvc_compiler_get_specialization_constants(compiler, &constants, &constantCount) != SPVC_SUCCESS)
      return failure(spvc_context_get_last_error_string(context));
    if (constantCount)
      return failure("it has specialization constants, which no backend sets");
    const char *text = nullptr;
    if (spvc_compiler_compile(compiler, &text) != SPVC_SUCCESS)
      return failure(spvc_context_get_last_error_string(context));
    if (spvc_compiler_msl_needs_buffer_size_buffer(compiler) || spvc_compiler_msl_needs_aux_buffer(compiler))
      return failure("it asks for buffers that the runtime does not have");
    // The runtime looks the function up by the kernel's name.
    const char *entry = spvc_compiler_get_cleansed_entry_point_name(compiler, name.c_str(), SpvExecutionModelGLCompute);
    if (!entry || name != entry)
      return failure("its name is none in Metal");
    return std::string(text);
  }

private:
  spvc_result setOptions() {
    const struct {
      spvc_compiler_option option;
      unsigned value;
    } settings[] = {
        {SPVC_COMPILER_OPTION_MSL_VERSION, kMslVersion},
        {SPVC_COMPILER_OPTION_MSL_PLATFORM, SPVC_MSL_PLATFORM_MACOS}, // iOS differs in graphics only
        {SPVC_COMPILER_OPTION_MSL_FORCE_NATIVE_ARRAYS, SPVC_TRUE},
    };
    spvc_compiler_options options = nullptr;
    if (spvc_result result = spvc_compiler_create_compiler_options(compiler, &options))
      return result;
    for (const auto &setting : settings)
      if (spvc_result result = spvc_compiler_options_set_uint(options, setting.option, setting.value))
        return result;
    return spvc_compiler_install_compiler_options(compiler, options);
  }

  spvc_result setBuffers(size_t buffers) {
    for (unsigned i = 0; i < buffers; ++i) {
      spvc_msl_resource_binding binding;
      spvc_msl_resource_binding_init(&binding);
      binding.stage = SpvExecutionModelGLCompute;
      binding.desc_set = 0;
      binding.binding = i;
      binding.msl_buffer = i;
      if (spvc_result result = spvc_compiler_msl_add_resource_binding(compiler, &binding))
        return result;
    }
    return SPVC_SUCCESS;
  }

  llvm::Error failure(const char *reason) const {
    return llvm::createStringError("kernel '%s' does not translate to metal: %s", name.c_str(), reason);
  }

  // Of a module's header: ids are less than this.
  static constexpr size_t kBoundWord = 3;
  // macOS 11, iOS 14.
  static constexpr unsigned kMslVersion = SPVC_MAKE_MSL_VERSION(2, 3, 0);

  const std::string &name;
  spvc_context context = nullptr;
  spvc_compiler compiler = nullptr;
};

} // namespace

llvm::Error translateToMsl(CompiledKernels &kernels, const std::vector<std::string> &names) {
  const std::vector<uint8_t> spirv = std::move(kernels.image);
  kernels.image.clear();
  for (size_t i = 0; i < names.size(); ++i) {
    GpuModule &module = kernels.modules[i];
    if (names[i].empty())
      continue;
    std::vector<uint32_t> words(module.size / sizeof(uint32_t));
    memcpy(words.data(), spirv.data() + module.offset, module.size);
    llvm::Expected<std::string> text = Translation(names[i]).run(words.data(), words.size(), module.slots.size() + 1);
    if (!text)
      return text.takeError();
    text->append((4 - text->size() % 4) % 4, '\n'); // modules start at multiples of 4
    module.offset = kernels.image.size();
    module.size = text->size();
    module.features = 0; // every Metal device stores bytes and halves
    kernels.image.insert(kernels.image.end(), text->begin(), text->end());
  }
  return llvm::Error::success();
}

} // namespace sinter
