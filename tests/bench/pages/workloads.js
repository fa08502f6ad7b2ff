// The workloads: sizes, seeded synthetic data, seeded weights. Every page trains exactly these.

/** Batches are made once, before the clock starts, and cycled through. */
export const BATCHES = 8;

export const MLP = {
  // The network of a 2-D playground: tanh after every layer, the last one too; mean squared error.
  "mlp-s-10": { sizes: [2, 8, 8, 1], batch: 10, lr: 0.01, weightStd: [0.7, 0.35, 0.35] },
  "mlp-s-128": { sizes: [2, 8, 8, 1], batch: 128, lr: 0.01, weightStd: [0.7, 0.35, 0.35] },
  // Images of 28 × 28: relu, relu, ten logits; cross entropy.
  "mlp-l": { sizes: [784, 512, 256, 10], batch: 128, lr: 0.001, weightStd: [0.05, 0.06, 0.08] },
};

/** `C = A·B` for square matrices; `-nt` and `-tn` store B or A transposed, as the gradients of a linear layer need them. */
export const GEMM = {
  "gemm-512": { n: 512, transposeA: false, transposeB: false },
  "gemm-512-nt": { n: 512, transposeA: false, transposeB: true },
  "gemm-512-tn": { n: 512, transposeA: true, transposeB: false },
  "gemm-1024": { n: 1024, transposeA: false, transposeB: false },
};

export const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

/** A generator of uniform numbers in [0, 1): mulberry32. */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` normal numbers of the given deviation (Box–Muller). */
export function normal(count, std, seed) {
  const next = uniform(seed);
  return Float32Array.from({ length: count }, () => std * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
}

/** Weights `[in, out]` and zero biases of each layer. */
export function initialLayers({ sizes, weightStd }) {
  return weightStd.map((std, layer) => ({
    inputs: sizes[layer],
    outputs: sizes[layer + 1],
    weight: normal(sizes[layer] * sizes[layer + 1], std, layer + 1),
    bias: new Float32Array(sizes[layer + 1]),
  }));
}

/** Batches of `{ x, y }`, and `labels` where the workload has classes (then `y` is one-hot). */
export function batches(workload) {
  const { sizes, batch } = MLP[workload];
  return sizes[0] === 2 ? circles(batch) : images(batch, sizes[0], sizes.at(-1));
}

function circles(batch) {
  const next = uniform(1);
  return Array.from({ length: BATCHES }, () => {
    const x = new Float32Array(batch * 2);
    const y = new Float32Array(batch);
    for (let i = 0; i < batch; i++) {
      const inner = next() < 0.5;
      const radius = inner ? 0.5 * next() : 0.7 + 0.3 * next();
      const angle = 2 * Math.PI * next();
      x.set([radius * Math.cos(angle), radius * Math.sin(angle)], 2 * i);
      y[i] = inner ? 1 : -1;
    }
    return { x, y };
  });
}

function images(batch, pixels, classes) {
  const next = uniform(2);
  const prototypes = Array.from({ length: classes }, (_, label) => normal(pixels, 1, 100 + label));
  return Array.from({ length: BATCHES }, (_, index) => {
    const x = normal(batch * pixels, 0.5, 200 + index);
    const y = new Float32Array(batch * classes);
    const labels = new Int32Array(batch);
    for (let i = 0; i < batch; i++) {
      labels[i] = Math.floor(next() * classes);
      y[i * classes + labels[i]] = 1;
      for (let j = 0; j < pixels; j++) x[i * pixels + j] += 0.3 * prototypes[labels[i]][j];
    }
    return { x, y, labels };
  });
}
