// jax-js, ?backend=wasm (one thread) or webgpu; the whole training step under one jit.
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { ADAM, BATCHES, GEMM, MLP, batches, initialLayers, normal } from "./workloads.js";
import { expose } from "./measure.js";

const backend = window.options.get("backend");
const devices = await init(backend);
if (!devices.includes(backend)) throw new Error(`${backend} is not available, only ${devices}`);
defaultDevice(backend);
const notes = `jax-js, ${backend}`;
const array = (values, shape) => np.array(values).reshape(shape);

function adamStep(lossOf, lr) {
  const { beta1, beta2, eps } = ADAM;
  // jax-js frees what a function consumes: `.ref` keeps a value for another use.
  return (parameters, m, v, t, x, y) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(parameters), x, y);
    const scale1 = np.reciprocal(np.subtract(1, np.power(beta1, t.ref)));
    const scale2 = np.reciprocal(np.subtract(1, np.power(beta2, t.ref)));
    const [newParameters, newM, newV] = [{}, {}, {}];
    for (const name of Object.keys(parameters)) {
      const g = gradients[name];
      newM[name] = m[name].mul(beta1).add(g.ref.mul(1 - beta1));
      newV[name] = v[name].mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
      const update = newM[name].ref.mul(scale1.ref).mul(lr).div(np.sqrt(newV[name].ref.mul(scale2.ref)).add(eps));
      newParameters[name] = parameters[name].sub(update);
    }
    scale1.dispose();
    scale2.dispose();
    return [loss, newParameters, newM, newV, t.add(1)];
  };
}

function prepareTraining(workload) {
  const { sizes, batch, lr } = MLP[workload];
  const data = batches(workload).map(({ x, y }) => ({ x: array(x, [batch, sizes[0]]), y: array(y, [batch, sizes.at(-1)]) }));
  let parameters = {};
  initialLayers(MLP[workload]).forEach(({ inputs, outputs, weight, bias }, layer) => {
    parameters[`w${layer}`] = array(weight, [inputs, outputs]);
    parameters[`b${layer}`] = array(bias, [outputs]);
  });
  const depth = sizes.length - 1;
  const hidden = workload === "mlp-l" ? nn.relu : np.tanh;
  const forward = (p, x) => {
    for (let layer = 0; layer < depth; layer++) {
      x = np.matmul(x, p[`w${layer}`]).add(p[`b${layer}`]);
      if (layer + 1 < depth) x = hidden(x);
    }
    return x;
  };
  const squares = (p, x, y) => np.square(np.tanh(forward(p, x)).sub(y)).mean();
  const crossEntropy = (p, x, y) => nn.logSoftmax(forward(p, x)).mul(y).sum(-1).mean().neg();
  const step = jit(adamStep(workload === "mlp-l" ? crossEntropy : squares, lr));
  const zeros = () => Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, np.zerosLike(value.ref)]));
  let [m, v, t, last] = [zeros(), zeros(), np.array(1), null];
  return {
    step(i) {
      const { x, y } = data[i % BATCHES];
      last?.dispose();
      [last, parameters, m, v, t] = step(parameters, m, v, t, x.ref, y.ref);
    },
    loss: () => last.ref.jsAsync(),
    notes,
  };
}

function prepareProduct(workload) {
  const { n, transposeA, transposeB } = GEMM[workload];
  const [a, b] = [1, 2].map((seed) => array(normal(n * n, 1, seed), [n, n]));
  const multiply = jit((a, b) => np.matmul(transposeA ? a.transpose() : a, transposeB ? b.transpose() : b));
  // Evaluation is lazy: a product that is dropped before it was waited for is never computed.
  const pending = [];
  return {
    multiply: () => pending.push(multiply(a.ref, b.ref)),
    async settle() {
      for (const product of pending.splice(0)) {
        await blockUntilReady(product);
        product.dispose();
      }
    },
    notes,
  };
}

const all = (names, prepare) => Object.fromEntries(Object.keys(names).map((name) => [name, prepare]));
expose({ ...all(MLP, prepareTraining), ...all(GEMM, prepareProduct) });
