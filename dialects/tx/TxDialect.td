#ifndef SINTER_DIALECTS_TX_TXDIALECT_TD
#define SINTER_DIALECTS_TX_TXDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/AttrTypeBase.td"

def Tx_Dialect : Dialect {
  let name = "tx";
  let cppNamespace = "::sinter::tx";
  let summary = "what a transformer computes, on tensors";
  let description = [{
    A tx program says what is computed and nothing about how. Frontends emit one function per model,

    ```mlir
    func.func @forward(%ids: tensor<?xi32>, %position: index) -> tensor<?x1024xf32>
    ```

    which takes the tokens of one step and the position of the first of them, and returns the logits after each token.
    Activations are `tensor<?xWxf32>`: one row per token, `W` columns; heads lie side by side in the columns. Weights are
    module-level `tx.param` symbols whose bytes stay in the model's files. State is the module-level `tx.cache`.

    The program as the frontend emitted it is the specification of the model: the reference evaluator runs it, and
    every pass and every target is compared with it.
  }];
  let useDefaultAttributePrinterParser = 1;
}

#endif
