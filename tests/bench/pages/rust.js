// What the Rust peers have in common: a wasm module that exports `Training` and `Product`.
import { GEMM, MLP, batches, initialLayers, normal } from "./workloads.js";
import { expose } from "./measure.js";

function joined(arrays, Type) {
  const all = new Type(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** `training` and `product` call the constructors of `src/lib.rs`, which say what the arguments are. */
export function exposeRust({ training, product, notes }) {
  const prepareTraining = (workload) => {
    const { sizes, batch, lr } = MLP[workload];
    const data = batches(workload);
    const run = training(
      Uint32Array.from(sizes),
      batch,
      lr,
      joined(initialLayers(MLP[workload]).map(({ weight }) => weight), Float32Array),
      joined(data.map(({ x }) => x), Float32Array),
      joined(data.map(({ y }) => y), Float32Array),
      joined(data.map(({ labels }) => labels ?? []), Uint32Array),
    );
    return { step: (i) => run.step(i), loss: () => run.loss(), notes };
  };
  const prepareProduct = (workload) => {
    const { n, transposeA, transposeB } = GEMM[workload];
    const matrices = product(n, normal(n * n, 1, 1), transposeA, normal(n * n, 1, 2), transposeB);
    return { multiply: () => matrices.multiply(), settle() {}, notes };
  };
  const all = (names, prepare) => Object.fromEntries(Object.keys(names).map((name) => [name, prepare]));
  expose({ ...all(MLP, prepareTraining), ...all(GEMM, prepareProduct) });
}
