// RUN: sinter-opt %s --split-input-file --verify-diagnostics

func.func @dot(%acc: vector<16xi32>, %codes: vector<32xi8>) -> vector<16xi32> {
  // expected-error @+1 {{(C1) has 32 codes for 16 sums, expected 64}}
  %d = kern.dot %acc, %codes, %codes max_code(15) : vector<16xi32>, vector<32xi8>
  return %d : vector<16xi32>
}

// -----

func.func @dot(%acc: vector<16xi32>, %codes: vector<64xi8>) -> vector<16xi32> {
  // expected-error @+1 {{attribute 'max_code' failed to satisfy constraint}}
  %d = kern.dot %acc, %codes, %codes max_code(0) : vector<16xi32>, vector<64xi8>
  return %d : vector<16xi32>
}

// -----

func.func @kernel() {
  // expected-error @+1 {{attribute 'index' failed to satisfy constraint}}
  %w = kern.binding -1 : memref<?xi8>
  return
}

// -----

func.func @kernel() {
  // expected-error @+1 {{attribute 'offset' failed to satisfy constraint}}
  %s = kern.scratch -64 : memref<64xi8>
  return
}
