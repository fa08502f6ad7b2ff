// What the Rust peers have in common: a wasm module that exports `Training` and `Product`.
import { batches } from "./data.js";
import { expose } from "./measure.js";
import { parameters } from "./parameters.js";
import { normal } from "./random.js";
import { GEMM, TRAINING, each } from "./workloads.js";

/** The sizes of each network, in the order in which its constructor expects them. */
const SIZES = {
  mlp: ({ sizes }) => sizes,
  cnn: ({ side, kernel, classes, channels }) => [side, kernel, classes, ...channels],
  lstm: ({ steps, classes, dim, hidden }) => [steps, classes, dim, hidden],
  gpt: ({ steps, classes, dim, heads, blocks, units }) => [steps, classes, dim, heads, blocks, units],
};

function joined(arrays, Type) {
  const all = new Type(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** `training`, told the name of a network, and `product` call the constructors of `src/lib.rs`, which say what the arguments are. */
export function exposeRust({ training, product, notes }) {
  const prepareTraining = (workload) => {
    const { network, batch, lr, ...sizes } = TRAINING[workload];
    const data = batches(workload);
    const values = joined(parameters(workload).map(({ values }) => values), Float32Array);
    const x = joined(data.map(({ x }) => x), data[0].x instanceof Float32Array ? Float32Array : Uint32Array);
    const labels = joined(data.map(({ labels }) => labels ?? []), Uint32Array);
    // Only the mlp knows both kinds of targets.
    const targets = network === "mlp" ? [joined(data.map(({ y }) => y ?? []), Float32Array), labels] : [labels];
    const run = training(network, batch, lr, Uint32Array.from(SIZES[network](sizes)), values, x, ...targets);
    return { step: (i) => run.step(i), loss: () => run.loss(), notes };
  };
  const prepareProduct = (workload) => {
    const { n, transposeA, transposeB } = GEMM[workload];
    const matrices = product(n, normal(n * n, 1, 1), transposeA, normal(n * n, 1, 2), transposeB);
    return { multiply: () => matrices.multiply(), settle() {}, notes };
  };
  expose({ ...each(TRAINING, prepareTraining), ...each(GEMM, prepareProduct) });
}
