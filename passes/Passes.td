// Every pass, in the order of the pipeline, with what it does to IR. The examples are those of the tests of the same
// name in test/passes.

#ifndef SINTER_PASSES_PASSES_TD
#define SINTER_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

//===-- tx: what is computed -------------------------------------------------------------------------------------===//

def Quantize : Pass<"sinter-quantize", "::mlir::ModuleOp"> {
  let summary = "choose the format that each matrix will be stored in";
  let description = [{
    Matrices get `format`, or what the recipe of that name says of their part; those that tokens are embedded with or that
    logits come from get `embed-format`. Vectors stay as they are, and so
    does what a program reads as it is. The format `stored` is for programs: f32, and 8 bits for what comes in codes of 8 bits.

    ```mlir
    tx.param @q "m" at 0 : tensor<64x64xbf16>
    // becomes
    tx.param @q "m" at 0 : tensor<64x64xbf16> as "q4"
    ```
  }];
  let options = [
    Option<"format", "format", "std::string", "\"q4\"", "format or recipe of the body's matrices">,
    Option<"embedFormat", "embed-format", "std::string", "", "format of embeddings and head; empty: by the body's">,
  ];
}

def FuseGlu : Pass<"sinter-fuse-glu", "::mlir::ModuleOp"> {
  let summary = "fuse gate, up and the gated linear unit into one product";
  let description = [{
    ```mlir
    %gate = tx.linear %x [@gate] : tensor<?x64xf32> -> tensor<?x96xf32>
    %up = tx.linear %x [@up] : tensor<?x64xf32> -> tensor<?x96xf32>
    %y = tx.glu silu %gate, %up : tensor<?x96xf32>
    // becomes
    %y = tx.linear %x [@gate, @up] glu silu : tensor<?x64xf32> -> tensor<?x96xf32>
    ```
  }];
}

def FuseProjections : Pass<"sinter-fuse-projections", "::mlir::ModuleOp"> {
  let summary = "fuse products of the same rows into one";
  let description = [{
    ```mlir
    %q = tx.linear %x [@q] : tensor<?x64xf32> -> tensor<?x64xf32>
    %k = tx.linear %x [@k] : tensor<?x64xf32> -> tensor<?x32xf32>
    // becomes
    %qk = tx.linear %x [@q, @k] : tensor<?x64xf32> -> tensor<?x96xf32>
    %q = tx.slice %qk from 0 : tensor<?x96xf32> -> tensor<?x64xf32>
    %k = tx.slice %qk from 64 : tensor<?x96xf32> -> tensor<?x32xf32>
    ```
  }];
}

def FuseNorm : Pass<"sinter-fuse-norm", "::mlir::ModuleOp"> {
  let summary = "fuse a norm into the only product that reads it";
  let description = [{
    ```mlir
    %n = tx.norm #norm %x : tensor<?x64xf32>
    %y = tx.linear %n [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
    // becomes
    %y = tx.linear norm #norm %x [@w] : tensor<?x64xf32> -> tensor<?x96xf32>
    ```
  }];
}

def FuseResidual : Pass<"sinter-fuse-residual", "::mlir::ModuleOp"> {
  let summary = "fuse the residual sum into the product before it";
  let description = [{
    ```mlir
    %o = tx.linear %a [@o] : tensor<?x64xf32> -> tensor<?x64xf32>
    %y = tx.add %x, %o {tap = "layers.0"} : tensor<?x64xf32>
    // becomes
    %y = tx.linear %a [@o] residual %x : tensor<?x64xf32> {tap = "layers.0"} : tensor<?x64xf32> -> tensor<?x64xf32>
    ```
  }];
}

def FuseActivation : Pass<"sinter-fuse-activation", "::mlir::ModuleOp"> {
  let summary = "fuse an activation into the product before it";
  let description = [{
    ```mlir
    %h = tx.linear %x [@w] bias [@b] : tensor<?x64xf32> -> tensor<?x96xf32>
    %y = tx.activate gelu %h : tensor<?x96xf32>
    // becomes
    %y = tx.linear %x [@w] bias [@b] act gelu : tensor<?x64xf32> -> tensor<?x96xf32>
    ```
  }];
}

def FuseEmbeddings : Pass<"sinter-fuse-embeddings", "::mlir::ModuleOp"> {
  let summary = "fuse the embeddings of tokens, positions and types that are added to one another";
  let description = [{
    ```mlir
    %e = tx.embed %ids @embed : tensor<?xi32> -> tensor<?x64xf32>
    %p = tx.position_embed %ids @positions from 0 : tensor<?xi32> -> tensor<?x64xf32>
    %x = tx.add %e, %p : tensor<?x64xf32>
    // becomes
    %x = tx.embed_sum %ids @embed positions @positions from 0 : tensor<?xi32> -> tensor<?x64xf32>
    ```
  }];
}

def FuseRotateAppend : Pass<"sinter-fuse-rotate-append", "::mlir::ModuleOp"> {
  let summary = "fuse what lies between the Q, K, V product and attention";
  let description = [{
    ```mlir
    %q = tx.slice %qkv from 0 : tensor<?x128xf32> -> tensor<?x64xf32>
    %k = tx.slice %qkv from 64 : tensor<?x128xf32> -> tensor<?x32xf32>
    %v = tx.slice %qkv from 96 : tensor<?x128xf32> -> tensor<?x32xf32>
    %qr = tx.rope %q at %pos by #rope head_dim(32) : tensor<?x64xf32>
    %kr = tx.rope %k at %pos by #rope head_dim(32) : tensor<?x32xf32>
    %keys, %values = tx.cache_append %kr, %v at %pos @kv : tensor<?x32xf32>
    // becomes
    %query, %keys, %values = tx.rotate_append rope #rope %qkv at %pos @kv heads(2)
        : tensor<?x128xf32> -> tensor<?x64xf32>, tensor<?x32xf32>
    ```
    Norms of each head between slice and rope go along as `query_norm` and `key_norm`.
  }];
}

def PlanKVCache : Pass<"sinter-plan-kv-cache", "::mlir::ModuleOp"> {
  let summary = "plan the element type and capacity of caches";
  let description = [{
    With `context=1000 prefill-tokens=64 element=f16`:
    ```mlir
    tx.cache @full kv_heads(2) head_dim(32) window(0)
    tx.cache @ring kv_heads(2) head_dim(32) window(100)
    // becomes
    tx.cache @full kv_heads(2) head_dim(32) window(0) element(f16) capacity(1008)
    tx.cache @ring kv_heads(2) head_dim(32) window(100) element(f16) capacity(176)
    ```
  }];
  let options = [
    Option<"element", "element", "std::string", "\"f16\"", "f32, f16 or q8">,
    Option<"context", "context", "int64_t", "256", "tokens that a sequence may have">,
    Option<"prefillTokens", "prefill-tokens", "int64_t", "256", "tokens computed at once">,
  ];
}

def SplitEntries : Pass<"sinter-split-entries", "::mlir::ModuleOp"> {
  let summary = "split @forward into @prefill, @decode and @head, or @encode and @head";
  let description = [{
    ```mlir
    func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x256xf32> {
      %x = tx.embed %ids @embed {tap = "layers.0"} : tensor<?xi32> -> tensor<?x64xf32>
      %y = tx.linear %x [@embed] : tensor<?x64xf32> -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
    // becomes
    func.func @prefill(%ids: tensor<?xi32>, %pos: index) -> tensor<?x64xf32> attributes {tx.max_tokens = 256} {
      %x = tx.embed %ids @embed {tap = "layers.0"} : tensor<?xi32> -> tensor<?x64xf32>
      return %x : tensor<?x64xf32>
    }
    func.func @decode(...) attributes {tx.max_tokens = 1} // the same
    func.func @head(%hidden: tensor<?x64xf32>) -> tensor<?x256xf32> attributes {tx.max_tokens = 1} {
      %y = tx.linear %hidden [@embed] : tensor<?x64xf32> -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
    ```
    Without a position the program is an encoder: there is one @encode for up to `context` tokens, and its @head, which
    reads every hidden row, is marked `tx.every_row`.
  }];
  let options = [
    Option<"prefillTokens", "prefill-tokens", "int64_t", "256", "largest number of tokens of @prefill">,
    Option<"context", "context", "int64_t", "256", "largest number of tokens of @encode">,
  ];
}

//===-- sched: when and where ------------------------------------------------------------------------------------===//

def FormDispatches : Pass<"sinter-form-dispatches", "::mlir::ModuleOp"> {
  let summary = "make entries, lists of dispatches over buffers, of tx functions";
  let description = [{
    In @decode, where each thread prepares the one token by itself:
    ```mlir
    %qkv = tx.linear norm #norm %x [@qkv] : tensor<?x64xf32> -> tensor<?x128xf32>
    // becomes
    %n = sched.ref @packed.norm : memref<?xf32>
    %w = sched.ref @packed.qkv : memref<?xi8>
    %qkv = sched.alloc : memref<1x128xf32>
    sched.dispatch @linear_128x64_q4z_norm_single(%x, %n, %w, %qkv) units(4) : ...
    ```
    In @prefill the rows are normalized and quantized by a dispatch of their own:
    ```mlir
    sched.dispatch @rows_64_norm_q4z(%x, %n, %codes, %scales, %sums) units(1) per(1) : ...
    sched.dispatch @linear_128x64_q4z(%codes, %scales, %sums, %w, %qkv) units(4) : ...
    ```
  }];
  let options = [Option<"context", "context", "int64_t", "256", "tokens that a sequence may have">,
                 Option<"cpu", "cpu", "bool", "true", "form entries for CPUs">,
                 Option<"gpu", "gpu", "bool", "false", "form entries for GPUs">];
  let dependentDialects = ["::sinter::sched::SchedDialect"];
}

def FuseGeneric : Pass<"sinter-fuse-generic", "::mlir::ModuleOp"> {
  let summary = "fuse elementwise linalg ops into the only op that reads them";
  let description = [{
    Upstream's fusion of elementwise ops, for producers with one reader.
    ```mlir
    %a = linalg.generic ... ins(%x) { negf }
    %b = linalg.generic ... ins(%a, %y) { addf }
    // becomes
    %b = linalg.generic ... ins(%x, %y) { negf, addf }
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def LowerGeneric : Pass<"sinter-lower-generic", "::mlir::ModuleOp"> {
  let summary = "make loops over memory of linalg ops";
  let description = [{
    ```mlir
    %y = linalg.generic ... ins(%x : tensor<?xf32>) outs(%empty : tensor<?xf32>) { negf }
    // becomes
    %y = tx.loops(%x) sizes(%n) : (tensor<?xf32>) -> tensor<?xf32> {
    ^bb0(%in: memref<?xf32>, %out: memref<?xf32>):
      scf.parallel (%i) = (%c0) to (%dim) step (%c1) { load, negf, store }
    }
    ```
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def LowerRows : Pass<"sinter-lower-rows", "::mlir::ModuleOp"> {
  let summary = "make loops of the elementwise ops on rows that are left in a program";
  let description = [{
    ```mlir
    %y = tx.activate relu %x : tensor<?x64xf32>
    // becomes
    %y = tx.loops(%x) sizes(%n) : (tensor<?x64xf32>) -> tensor<?x64xf32> {
    ^bb0(%in: memref<?x64xf32>, %out: memref<?x64xf32>):
      scf.parallel (%i, %j) = (%c0, %c0) to (%n, %c64) step (%c1, %c1) { load, maximumf, store }
    }
    ```
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def FormGeneric : Pass<"sinter-form-generic", "::mlir::ModuleOp"> {
  let summary = "make the entries @exec and @sizes, dispatches and kernel functions, of tx.loops";
  let description = [{
    ```mlir
    %y = tx.loops(%x) : (tensor<64x256xf32>) -> tensor<64x256xf32> { ... scf.parallel (%i, %j) ... }
    // becomes
    func.func @generic_0.body(%begin: index, %end: index) attributes {kern.kernel} { ... }
    sched.kernel @generic_0 #kern.generic<body = @generic_0.body, inputs = 1, outputs = 1>
    // and in sched.func @exec
    sched.dispatch @generic_0(%x, %y) units(64) : ...
    ```
  }];
  let dependentDialects = ["::sinter::sched::SchedDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def SplitMatrices : Pass<"sinter-split-matrices", "::mlir::ModuleOp"> {
  let summary = "cut matrices that are larger than what a kernel on a GPU can see";
  let description = [{
    ```mlir
    sched.dispatch @linear_128256x2048_f16_row(%x, %w, %logits) units(4008) : ...
    // becomes
    sched.dispatch @linear_32768x2048_f16_row_of128256(%x, %w, %logits) units(1024) parts [0, 0, 0, 134217728, 0, 0] : ...
    sched.dispatch @linear_32768x2048_f16_row_of128256(%x, %w, %logits) units(1024) parts [0, 0, 134217728, 134217728, 131072, 0] : ...
    ...
    ```
    An embedding becomes as many dispatches, each of which leaves alone the tokens whose rows it does not see.
  }];
  let options = [Option<"limit", "limit", "int64_t", "134217728", "bytes of a buffer that a kernel on any GPU can see">];
  let dependentDialects = ["::sinter::kern::KernDialect", "::sinter::sched::SchedDialect"];
}

def PlanWeights : Pass<"sinter-plan-weights", "::mlir::ModuleOp"> {
  let summary = "place weights in the package's weights section";
  let description = [{
    ```mlir
    sched.weight @w.q4 "q4" [@w] rows(96) columns(64)
    // becomes
    sched.weight @w.q4 "q4" [@w] rows(96) columns(64) at 256 bytes(3456)
    ```
  }];
}

def PlanMemory : Pass<"sinter-plan-memory", "::mlir::ModuleOp"> {
  let summary = "place buffers in the arena by their lives";
  let description = [{
    ```mlir
    %a = sched.alloc : memref<1x32xf32>
    // becomes
    %a = sched.alloc at 1600 : memref<1x32xf32>
    ```
    `sched.plan` gets the size of the arena, and as `arena_bound` the most bytes that live at any one dispatch.
  }];
}

def PlaceBarriers : Pass<"sinter-place-barriers", "::mlir::ModuleOp"> {
  let summary = "make threads meet where a dispatch depends on what another thread did";
  let description = [{
    ```mlir
    sched.dispatch @norm(%a, %n, %b) units(1) per(1) : ... // writes %b row by row
    sched.dispatch @linear(%b, %p, %c) units(1) : ...      // each tile of %c reads all of %b
    // becomes
    sched.dispatch @norm(%a, %n, %b) units(1) per(1) : ...
    sched.dispatch barrier @linear(%b, %p, %c) units(1) : ...
    ```
  }];
}

def AddYardsticks : Pass<"sinter-add-yardsticks", "::mlir::ModuleOp"> {
  let summary = "add the kernels that measure the machine";
  let description = [{
    ```mlir
    sched.kernel @yardstick_read #kern.yardstick<kind = read>
    sched.kernel @yardstick_dot #kern.yardstick<kind = dot>
    sched.kernel @yardstick_fma #kern.yardstick<kind = fma>
    ```
  }];
  let dependentDialects = ["::sinter::kern::KernDialect", "::sinter::sched::SchedDialect"];
}

#endif
