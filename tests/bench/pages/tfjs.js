// TensorFlow.js; ?backend=cpu, wasm or webgpu.
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { BATCHES, GEMM, MLP, batches, initialLayers, normal } from "./workloads.js";
import { expose } from "./measure.js";

const backend = window.options.get("backend");
setWasmPaths("/tfjs-wasm/");
await tf.setBackend(backend);
await tf.ready();
if (tf.getBackend() !== backend) throw new Error(`${backend} is not available, only ${tf.getBackend()}`);
const notes = `tfjs ${tf.version.tfjs}, ${backend}`;

function prepareTraining(workload) {
  const { sizes, batch, lr } = MLP[workload];
  const [features, targets] = [sizes[0], sizes.at(-1)];
  const data = batches(workload).map(({ x, y }) => ({ x: tf.tensor2d(x, [batch, features]), y: tf.tensor2d(y, [batch, targets]) }));
  const layers = initialLayers(MLP[workload]).map(({ inputs, outputs, weight, bias }) => ({
    weight: tf.variable(tf.tensor2d(weight, [inputs, outputs])),
    bias: tf.variable(tf.tensor1d(bias)),
  }));
  const linear = (x, { weight, bias }) => tf.add(tf.matMul(x, weight), bias);
  const hidden = workload === "mlp-l" ? tf.relu : tf.tanh;
  const forward = (x) => linear(layers.slice(0, -1).reduce((h, layer) => hidden(linear(h, layer)), x), layers.at(-1));
  const squares = ({ x, y }) => tf.mean(tf.square(tf.sub(tf.tanh(forward(x)), y)));
  const crossEntropy = ({ x, y }) => tf.neg(tf.mean(tf.sum(tf.mul(y, tf.logSoftmax(forward(x))), -1)));
  const lossOf = workload === "mlp-l" ? crossEntropy : squares;
  const variables = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const optimizer = tf.train.adam(lr);
  let last = null;
  return {
    step(i) {
      const value = optimizer.minimize(() => lossOf(data[i % BATCHES]), true, variables);
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

const all = (names, prepare) => Object.fromEntries(Object.keys(names).map((name) => [name, prepare]));
expose({ ...all(MLP, prepareTraining), ...all(GEMM, prepareProduct) });
