// candle, compiled to wasm; there if it was built with --rust-peers.
import init, { Product, Training } from "/peers/candle.js";
import { GEMM, MLP, batches, initialLayers, normal } from "./workloads.js";
import { expose } from "./measure.js";

await init();
const notes = "candle 0.11.1, simd128";

function joined(arrays, Type) {
  const all = new Type(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

function prepareTraining(workload) {
  const { sizes, batch, lr } = MLP[workload];
  const data = batches(workload);
  const training = new Training(
    Uint32Array.from(sizes),
    batch,
    lr,
    joined(initialLayers(MLP[workload]).map(({ weight }) => weight), Float32Array),
    joined(data.map(({ x }) => x), Float32Array),
    joined(data.map(({ y }) => y), Float32Array),
    joined(data.map(({ labels }) => labels ?? []), Uint32Array),
  );
  return { step: (i) => training.step(i), loss: () => training.loss(), notes };
}

function prepareProduct(workload) {
  const { n, transposeA, transposeB } = GEMM[workload];
  const product = new Product(n, normal(n * n, 1, 1), transposeA, normal(n * n, 1, 2), transposeB);
  return { multiply: () => product.multiply(), settle() {}, notes };
}

const all = (names, prepare) => Object.fromEntries(Object.keys(names).map((name) => [name, prepare]));
expose({ ...all(MLP, prepareTraining), ...all(GEMM, prepareProduct) });
