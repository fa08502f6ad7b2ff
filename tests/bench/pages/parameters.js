// The parameters of every network, seeded: what every page begins with, in PyTorch's initial deviations unless a workload says otherwise. Weights of
// linear layers are `[in, out]`, kernels `[out, in, height, width]`; the gates of an lstm are input, forget, cell, output.
import { evenly, normal } from "./random.js";
import { TRAINING } from "./workloads.js";

// Ways to draw: each is told how many numbers, and a seed.
const constant = (value) => (count) => new Float32Array(count).fill(value);
const within = (bound) => (count, seed) => evenly(count, bound, seed);
const around = (std) => (count, seed) => normal(count, std, seed);

const parameter = (name, shape, draw) => ({ name, shape, draw });

function linear(name, inputs, outputs, weight = within(1 / Math.sqrt(inputs)), bias = within(1 / Math.sqrt(inputs))) {
  return [parameter(`${name}.weight`, [inputs, outputs], weight), parameter(`${name}.bias`, [outputs], bias)];
}

const norm = (name, dim) => [parameter(`${name}.weight`, [dim], constant(1)), parameter(`${name}.bias`, [dim], constant(0))];

function block(name, dim, units) {
  return [
    ...norm(`${name}.norm1`, dim),
    // As Xavier and Glorot draw the weights of queries, keys and values, all in one.
    ...linear(`${name}.in_proj`, dim, 3 * dim, within(Math.sqrt(6 / (4 * dim))), constant(0)),
    ...linear(`${name}.out_proj`, dim, dim, within(1 / Math.sqrt(dim)), constant(0)),
    ...norm(`${name}.norm2`, dim),
    ...linear(`${name}.linear1`, dim, units),
    ...linear(`${name}.linear2`, units, dim),
  ];
}

const NETWORKS = {
  mlp: ({ sizes, weightStd }) =>
    weightStd.flatMap((std, layer) => linear(layer, sizes[layer], sizes[layer + 1], around(std), constant(0))),

  cnn({ side, kernel, channels, classes }) {
    const convolutions = channels.slice(1).flatMap((to, layer) => {
      const bound = within(1 / (kernel * Math.sqrt(channels[layer])));
      return [parameter(`${layer}.weight`, [to, channels[layer], kernel, kernel], bound), parameter(`${layer}.bias`, [to], bound)];
    });
    // Every convolution is followed by pooling.
    const left = side >> (channels.length - 1);
    return [...convolutions, ...linear("output", channels.at(-1) * left ** 2, classes)];
  },

  lstm({ classes, dim, hidden }) {
    const [gates, bound] = [4 * hidden, within(1 / Math.sqrt(hidden))];
    return [
      parameter("embedding", [classes, dim], around(1)),
      parameter("weight_ih", [dim, gates], bound),
      parameter("weight_hh", [hidden, gates], bound),
      parameter("bias_ih", [gates], bound),
      parameter("bias_hh", [gates], bound),
      ...linear("output", hidden, classes),
    ];
  },

  gpt: ({ steps, classes, dim, blocks, units }) => [
    parameter("embedding", [classes, dim], around(1)),
    parameter("positions", [steps, dim], around(0.02)),
    ...Array.from({ length: blocks }, (_, at) => block(at, dim, units)).flat(),
    ...norm("norm", dim),
    parameter("output.weight", [dim, classes], within(1 / Math.sqrt(dim))),
  ],
};

const size = (shape) => shape.reduce((product, length) => product * length, 1);

/** All parameters as a list of `{ name, shape, values }`; the Rust peers read their values one after the other. */
export function parameters(workload) {
  const sizes = TRAINING[workload];
  return NETWORKS[sizes.network](sizes).map(({ name, shape, draw }, index) => ({ name, shape, values: draw(size(shape), 1 + index) }));
}
