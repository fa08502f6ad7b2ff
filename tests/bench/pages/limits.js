// The yardstick: a packed matrix product of our own and nothing around it; ?build=plain or relaxed.
import { expose } from "./measure.js";
import { normal } from "./random.js";
import { GEMM, each } from "./workloads.js";

const build = window.options.get("build");
const { instance } = await WebAssembly.instantiateStreaming(fetch(`/limits-${build}.wasm`));
const { memory, reserve, gemm } = instance.exports;

function prepare(workload) {
  const { n, transposeA, transposeB } = GEMM[workload];
  const [a, b, c] = [0, 0, 0].map(() => reserve(n * n));
  new Float32Array(memory.buffer, a, n * n).set(normal(n * n, 1, 1));
  new Float32Array(memory.buffer, b, n * n).set(normal(n * n, 1, 2));
  const multiply = () => gemm(n, a, transposeA, b, transposeB, c);
  multiply();
  check(n, a, transposeA, b, transposeB, c);
  return { multiply, settle() {}, notes: `packed GEMM, ${build} SIMD` };
}

/** A yardstick that computes something else would be no yardstick. */
function check(n, a, transposeA, b, transposeB, c) {
  const at = (pointer, row, column, transposed) =>
    new Float32Array(memory.buffer, pointer, n * n)[transposed ? column * n + row : row * n + column];
  for (const [row, column] of [[0, 0], [n - 1, n - 1], [n >> 1, 3]]) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += at(a, row, k, transposeA) * at(b, k, column, transposeB);
    const error = Math.abs(sum - at(c, row, column, false));
    if (!(error < 1e-3)) throw new Error(`the product is off by ${error} at ${row}, ${column}`);
  }
}

expose(each(GEMM, prepare));
