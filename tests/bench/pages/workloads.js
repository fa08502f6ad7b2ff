// The workloads: sizes that every page has, and `downhill bench` too (`crates/train/src/bench/workloads.rs`).

/** Batches are made once, before the clock starts, and cycled through. */
export const BATCHES = 8;

/**
 * Training runs: which network of what sizes, samples of a step, Adam's learning rate, and the number of classes, where the loss is cross entropy;
 * without classes it is the mean squared error. `parameters.js` has the parameters, `data.js` the data.
 */
export const TRAINING = {
  // The network of a 2-D playground: tanh after every layer, the last one too.
  "mlp-s-10": { network: "mlp", sizes: [2, 8, 8, 1], weightStd: [0.7, 0.35, 0.35], batch: 10, lr: 0.01 },
  "mlp-s-128": { network: "mlp", sizes: [2, 8, 8, 1], weightStd: [0.7, 0.35, 0.35], batch: 128, lr: 0.01 },
  // Images of 28 × 28: relu, relu, ten logits.
  "mlp-l": { network: "mlp", sizes: [784, 512, 256, 10], weightStd: [0.05, 0.06, 0.08], classes: 10, batch: 128, lr: 0.001 },
  // The same images: two convolutions that keep their size, each with relu and pooling by two, and a linear layer.
  cnn: { network: "cnn", side: 28, kernel: 3, channels: [1, 16, 32], classes: 10, batch: 64, lr: 0.001 },
  // Sequences of tokens; the next one is to be predicted at every step: embedding, lstm, linear layer.
  lstm: { network: "lstm", steps: 64, classes: 64, dim: 64, hidden: 128, batch: 32, lr: 0.002 },
  // The same: embedding and learned positions, blocks of a transformer with the norm first and the exact gelu, a norm, a linear layer without bias.
  "gpt-s": { network: "gpt", steps: 64, classes: 64, dim: 128, heads: 4, blocks: 4, units: 512, batch: 16, lr: 0.001 },
};

/** `C = A·B` for square matrices; `-nt` and `-tn` store B or A transposed, as the gradients of a linear layer need them. */
export const GEMM = {
  "gemm-512": { n: 512, transposeA: false, transposeB: false },
  "gemm-512-nt": { n: 512, transposeA: false, transposeB: true },
  "gemm-512-tn": { n: 512, transposeA: true, transposeB: false },
  "gemm-1024": { n: 1024, transposeA: false, transposeB: false },
};

export const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

/** One way to prepare all of these workloads, as `expose` takes it. */
export const each = (workloads, prepare) => Object.fromEntries(Object.keys(workloads).map((name) => [name, prepare]));
