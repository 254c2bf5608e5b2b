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

// -----

func.func @tile_product(%w: memref<?xi8>, %x: memref<?x64xf32>, %out: memref<64x32xf32>, %i: index) {
  // expected-error @+1 {{(C1) has unknown format 'q5', expected one of f32, }}
  kern.tile_product "q5" columns(64) %w[%i], %x[%i for %i] to %out : memref<?xi8>, memref<?x64xf32>, memref<64x32xf32>
  return
}

// -----

func.func @tile_product(%w: memref<?xi8>, %x: memref<?x16xi32>, %out: memref<64x32xf32>, %i: index) {
  // expected-error @+1 {{(C2) has 0 scales and sums, expected 2}}
  kern.tile_product "q4" columns(64) %w[%i], %x[%i for %i] to %out : memref<?xi8>, memref<?x16xi32>, memref<64x32xf32>
  return
}

// -----

func.func @tile_product(%w: memref<?xf32>, %x: memref<?x64xf32>, %out: memref<64x16xf32>, %i: index) {
  // expected-error @+1 {{(C3) writes to 'memref<64x16xf32>', expected rows of 32}}
  kern.tile_product "f32" columns(64) %w[%i], %x[%i for %i] to %out : memref<?xf32>, memref<?x64xf32>, memref<64x16xf32>
  return
}
