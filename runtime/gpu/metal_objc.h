// Objective-C from C++: the few functions of its runtime that calling methods takes, declared here rather than included,
// so that the backend is the same C++ wherever it is compiled. Types of arguments must be exactly those of the methods;
// no method that returns a structure is called, since some processors have a function of their own for those.
#pragma once

#include <stdint.h>

namespace sinter::metal {

extern "C" {
typedef struct objc_object *id;
typedef struct objc_selector *SEL;
void objc_msgSend(void); // to be called as what the method is
SEL sel_registerName(const char *name);
id objc_getClass(const char *name);
void *objc_autoreleasePoolPush(void);
void objc_autoreleasePoolPop(void *pool);
id MTLCreateSystemDefaultDevice(void); // retained; null if there is none
}

// NSUInteger, and what the interface has as values and structures of it.
using Word = unsigned long;
struct Range {
  Word location, length;
};
struct Size {
  Word width, height, depth;
};

template <class Result = id, class... Arguments> Result send(id receiver, SEL selector, Arguments... arguments) {
  return reinterpret_cast<Result (*)(id, SEL, Arguments...)>(objc_msgSend)(receiver, selector, arguments...);
}

template <class Result = id, class... Arguments>
Result send(id receiver, const char *selector, Arguments... arguments) {
  return send<Result>(receiver, sel_registerName(selector), arguments...);
}

inline id retain(id object) { return send(object, "retain"); }
inline void release(id object) { send<void>(object, "release"); } // null is fine, as for all messages

// What methods return without "new" or "alloc" in their names lives until the pool that was current ends.
class Pool {
public:
  Pool() : pool(objc_autoreleasePoolPush()) {}
  ~Pool() { objc_autoreleasePoolPop(pool); }
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

private:
  void *pool;
};

} // namespace sinter::metal
