// A hand-written loop over typed arrays for the small MLP: what a careful JavaScript programmer gets without any library.
import { batches } from "./data.js";
import { expose } from "./measure.js";
import { parameters } from "./parameters.js";
import { ADAM, BATCHES, TRAINING } from "./workloads.js";

/** All parameters in one array; layer l has its weights at `at[l]` and its biases behind them. */
function joined(list) {
  const at = [];
  let size = 0;
  for (const { name, values } of list) {
    if (name.endsWith(".weight")) at.push(size);
    size += values.length;
  }
  return { values: Float32Array.from(list.flatMap(({ values }) => [...values])), at };
}

function prepare(workload) {
  const { sizes, batch, lr } = TRAINING[workload];
  const data = batches(workload);
  const { values: p, at } = joined(parameters(workload));
  const [g, m, v] = [0, 0, 0].map(() => new Float32Array(p.length));
  const activations = sizes.map((width) => new Float32Array(batch * width));
  const deltas = sizes.map((width) => new Float32Array(batch * width));
  const last = sizes.length - 1;
  let steps = 0;
  let loss = 0;

  function forward(layer) {
    const [inputs, outputs] = [sizes[layer], sizes[layer + 1]];
    const [a, o] = [activations[layer], activations[layer + 1]];
    const w = at[layer];
    const bias = w + inputs * outputs;
    for (let b = 0; b < batch; b++)
      for (let j = 0; j < outputs; j++) {
        let sum = p[bias + j];
        for (let k = 0; k < inputs; k++) sum += a[b * inputs + k] * p[w + k * outputs + j];
        o[b * outputs + j] = Math.tanh(sum);
      }
  }

  function outputDelta(y) {
    const [o, d] = [activations[last], deltas[last]];
    let sum = 0;
    for (let b = 0; b < batch; b++) {
      const error = o[b] - y[b];
      sum += error * error;
      d[b] = ((2 * error) / batch) * (1 - o[b] * o[b]);
    }
    loss = sum / batch;
  }

  function backward(layer) {
    const [inputs, outputs] = [sizes[layer], sizes[layer + 1]];
    const [a, d, below] = [activations[layer], deltas[layer + 1], deltas[layer]];
    const w = at[layer];
    const bias = w + inputs * outputs;
    for (let b = 0; b < batch; b++)
      for (let j = 0; j < outputs; j++) {
        const e = d[b * outputs + j];
        g[bias + j] += e;
        for (let k = 0; k < inputs; k++) g[w + k * outputs + j] += e * a[b * inputs + k];
      }
    if (layer === 0) return;
    for (let b = 0; b < batch; b++)
      for (let k = 0; k < inputs; k++) {
        let sum = 0;
        for (let j = 0; j < outputs; j++) sum += d[b * outputs + j] * p[w + k * outputs + j];
        const h = a[b * inputs + k];
        below[b * inputs + k] = sum * (1 - h * h);
      }
  }

  function adam() {
    const { beta1, beta2, eps } = ADAM;
    const scale1 = 1 / (1 - beta1 ** steps);
    const scale2 = 1 / (1 - beta2 ** steps);
    for (let k = 0; k < p.length; k++) {
      m[k] = beta1 * m[k] + (1 - beta1) * g[k];
      v[k] = beta2 * v[k] + (1 - beta2) * g[k] * g[k];
      p[k] -= (lr * m[k] * scale1) / (Math.sqrt(v[k] * scale2) + eps);
    }
  }

  return {
    step(i) {
      const { x, y } = data[i % BATCHES];
      steps++;
      activations[0] = x;
      for (let layer = 0; layer < last; layer++) forward(layer);
      outputDelta(y);
      g.fill(0);
      for (let layer = last - 1; layer >= 0; layer--) backward(layer);
      adam();
    },
    loss: () => loss,
    notes: "typed arrays, no library",
  };
}

expose({ "mlp-s-10": prepare, "mlp-s-128": prepare });
