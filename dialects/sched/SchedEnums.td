#ifndef SINTER_DIALECTS_SCHED_SCHEDENUMS_TD
#define SINTER_DIALECTS_SCHED_SCHEDENUMS_TD

include "mlir/IR/EnumAttr.td"

def Sched_Role : I32EnumAttr<"Role", "what the runtime uses a buffer for", [
    I32EnumAttrCase<"tokens", 0>,  // i32[T]: ids of the step
    I32EnumAttrCase<"hidden", 1>,  // f32[T][stride]: what prefill and decode leave for head
    I32EnumAttrCase<"logits", 2>,  // f32[1][stride(vocab)]; of an encoder, what its head makes of all rows: one row, or one for each
    I32EnumAttrCase<"types", 3>,   // i32[T]: token types of the step
    I32EnumAttrCase<"greedy", 4>,  // i32[1]: place of the largest logit, where entries for GPUs leave it
    I32EnumAttrCase<"port", 5>,    // an input or output of @exec
    I32EnumAttrCase<"sizes", 6>,   // i64[n]: sizes of outputs, and what must be equal
    I32EnumAttrCase<"rows", 7>,    // i64[n]: rows of dispatches that depend on run-time dimensions
  ]> {
  let cppNamespace = "::sinter::sched";
  let genSpecializedAttr = 0;
}

def Sched_Device : I32EnumAttr<"Device", "what an entry is made for", [
    I32EnumAttrCase<"cpu", 0>, I32EnumAttrCase<"gpu", 1>]> {
  let cppNamespace = "::sinter::sched";
  let genSpecializedAttr = 0;
}

#endif
