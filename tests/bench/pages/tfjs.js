// TensorFlow.js; ?backend=cpu, wasm or webgpu.
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { batches, oneHot } from "./data.js";
import { expose } from "./measure.js";
import { LAYOUTS, NETWORKS } from "./networks/tfjs.js";
import { parameters } from "./parameters.js";
import { normal } from "./random.js";
import { ADAM, BATCHES, GEMM, TRAINING, each } from "./workloads.js";

const backend = window.options.get("backend");
setWasmPaths("/tfjs-wasm/");
await tf.setBackend(backend);
await tf.ready();
if (tf.getBackend() !== backend) throw new Error(`${backend} is not available, only ${tf.getBackend()}`);
const notes = `tfjs ${tf.version.tfjs}, ${backend}`;

// On wasm picking has no gradient: UnsortedSegmentSum is missing.
const picks = backend !== "wasm";
const lookUp = (table, tokens) => (picks ? tf.gather(table, tokens) : tf.matMul(tokens, table));

/** A batch as tensors; tokens are integers, or one-hot where they are looked up by a product. */
function tensors({ x, y, labels }, { batch, classes }) {
  const isTokens = x instanceof Int32Array;
  const rows = (values, width) => tf.tensor2d(values, [values.length / width, width]);
  return {
    x: !isTokens ? rows(x, x.length / batch) : picks ? tf.tensor1d(x, "int32") : rows(oneHot(x, classes), classes),
    y: classes ? rows(oneHot(labels, classes), classes) : rows(y, 1),
  };
}

function variables(workload) {
  const layouts = LAYOUTS[TRAINING[workload].network]?.(TRAINING[workload]) ?? {};
  const made = parameters(workload).map(({ name, shape, values }) => {
    const laid = layouts[name] ?? ((tensor) => tensor);
    return [name, tf.variable(tf.tidy(() => laid(tf.tensor(values, shape))))];
  });
  return Object.fromEntries(made);
}

function prepareTraining(workload) {
  const sizes = TRAINING[workload];
  const data = batches(workload).map((batch) => tensors(batch, sizes));
  const p = variables(workload);
  const lossOf = NETWORKS[sizes.network](sizes, p, lookUp);
  const optimizer = tf.train.adam(sizes.lr, ADAM.beta1, ADAM.beta2, ADAM.eps);
  let last = null;
  return {
    step(i) {
      const value = optimizer.minimize(() => lossOf(data[i % BATCHES]), true, Object.values(p));
      last?.dispose();
      last = value;
    },
    loss: async () => (await last.data())[0],
    notes,
  };
}

function prepareProduct(workload) {
  const { n, transposeA, transposeB } = GEMM[workload];
  const [a, b] = [1, 2].map((seed) => tf.tensor2d(normal(n * n, 1, seed), [n, n]));
  let product = null;
  return {
    multiply() {
      product?.dispose();
      product = tf.matMul(a, b, transposeA, transposeB);
    },
    async settle() {
      const corner = tf.tidy(() => tf.slice(product, [0, 0], [1, 1]));
      await corner.data();
      corner.dispose();
    },
    notes,
  };
}

expose({ ...each(TRAINING, prepareTraining), ...each(GEMM, prepareProduct) });
