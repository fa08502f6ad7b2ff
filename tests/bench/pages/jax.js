// jax-js, ?backend=wasm (one thread) or webgpu; the whole training step under one jit.
import { blockUntilReady, defaultDevice, init, jit, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { batches, oneHot } from "./data.js";
import { expose } from "./measure.js";
import { NETWORKS } from "./networks/jax.js";
import { parameters } from "./parameters.js";
import { normal } from "./random.js";
import { ADAM, BATCHES, GEMM, TRAINING, each } from "./workloads.js";

const backend = window.options.get("backend");
const devices = await init(backend);
if (!devices.includes(backend)) throw new Error(`${backend} is not available, only ${devices}`);
defaultDevice(backend);
const notes = `jax-js, ${backend}`;
const array = (values, shape) => np.array(values).reshape(shape);

function adamStep(lossOf, lr) {
  const { beta1, beta2, eps } = ADAM;
  // jax-js frees what a function consumes: `.ref` keeps a value for another use.
  return (p, m, v, t, x, y) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(p), x, y);
    const scale1 = np.reciprocal(np.subtract(1, np.power(beta1, t.ref)));
    const scale2 = np.reciprocal(np.subtract(1, np.power(beta2, t.ref)));
    const [newP, newM, newV] = [{}, {}, {}];
    for (const name of Object.keys(p)) {
      const g = gradients[name];
      newM[name] = m[name].mul(beta1).add(g.ref.mul(1 - beta1));
      newV[name] = v[name].mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
      const update = newM[name].ref.mul(scale1.ref).mul(lr).div(np.sqrt(newV[name].ref.mul(scale2.ref)).add(eps));
      newP[name] = p[name].sub(update);
    }
    scale1.dispose();
    scale2.dispose();
    return [loss, newP, newM, newV, t.add(1)];
  };
}

/** A batch as arrays; tokens are one-hot, for they are looked up by a product. */
function arrays({ x, y, labels }, { batch, classes }) {
  const rows = (values, width) => array(values, [values.length / width, width]);
  return {
    x: x instanceof Int32Array ? rows(oneHot(x, classes), classes) : rows(x, x.length / batch),
    y: classes ? rows(oneHot(labels, classes), classes) : rows(y, 1),
  };
}

function prepareTraining(workload) {
  const sizes = TRAINING[workload];
  const data = batches(workload).map((batch) => arrays(batch, sizes));
  let p = Object.fromEntries(parameters(workload).map(({ name, shape, values }) => [name, array(values, shape)]));
  const step = jit(adamStep(NETWORKS[sizes.network](sizes), sizes.lr));
  const zeros = () => Object.fromEntries(Object.entries(p).map(([name, value]) => [name, np.zerosLike(value.ref)]));
  let [m, v, t, last] = [zeros(), zeros(), np.array(1), null];
  return {
    step(i) {
      const { x, y } = data[i % BATCHES];
      last?.dispose();
      [last, p, m, v, t] = step(p, m, v, t, x.ref, y.ref);
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

expose({ ...each(TRAINING, prepareTraining), ...each(GEMM, prepareProduct) });
