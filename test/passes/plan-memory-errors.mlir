// RUN: sinter-opt %s --sinter-plan-memory --split-input-file --verify-diagnostics

// expected-error @+1 {{must have one sched.plan, has 0}}
module {}

// -----

// expected-error @+1 {{must have one sched.plan, has 2}}
module {
  sched.plan context(64)
  sched.plan context(64)
}
