// RUN: sinter-opt %s --sinter-plan-memory --split-input-file --verify-diagnostics

// expected-error @+1 {{must have one sched.plan, has 0}}
module {}

// -----

// expected-error @+1 {{must have one sched.plan, has 2}}
module {
  sched.plan context(64)
  sched.plan context(64)
}

// -----

sched.plan context(64)
// expected-error @+1 {{must have a static shape to be planned, is 'memref<?xi32>'}}
sched.buffer @tokens tokens : memref<?xi32>

// -----

sched.plan context(64)
sched.func @prefill max_tokens(16) {
  // expected-error @+1 {{must have a static shape to be planned, is 'memref<?x32xf32>'}}
  %a = sched.alloc : memref<?x32xf32>
}
