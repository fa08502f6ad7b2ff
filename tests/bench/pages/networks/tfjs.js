// The networks in TensorFlow.js. Each is told its sizes, its parameters by name and what looks tokens up, and gives the loss of a batch.
import * as tf from "@tensorflow/tfjs";

/** What the layouts of TensorFlow.js ask for: images and kernels have their channels last, and so has what follows when they are flattened. */
export const LAYOUTS = {
  cnn({ side, channels }) {
    const kernels = channels.slice(1).map((_, layer) => [`${layer}.weight`, (kernel) => tf.transpose(kernel, [2, 3, 1, 0])]);
    const left = side >> kernels.length;
    const output = (weight) => {
      const rows = tf.transpose(tf.reshape(weight, [channels.at(-1), left, left, -1]), [1, 2, 0, 3]);
      return tf.reshape(rows, weight.shape);
    };
    return Object.fromEntries([...kernels, ["output.weight", output]]);
  },
};

const linear = (x, p, name) => tf.add(tf.matMul(x, p[`${name}.weight`]), p[`${name}.bias`]);

/** `y` is one-hot. */
const crossEntropy = (logits, y) => tf.neg(tf.mean(tf.sum(tf.mul(y, tf.logSoftmax(logits)), -1)));

function norm(x, p, name) {
  const centered = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), 1e-5));
  return tf.add(tf.mul(tf.mul(centered, scale), p[`${name}.weight`]), p[`${name}.bias`]);
}

const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));

export const NETWORKS = {
  mlp({ sizes, classes }, p) {
    const last = sizes.length - 2;
    const hidden = classes ? tf.relu : tf.tanh;
    const forward = (x) => {
      for (let layer = 0; layer < last; layer++) x = hidden(linear(x, p, layer));
      return linear(x, p, last);
    };
    return ({ x, y }) => (classes ? crossEntropy(forward(x), y) : tf.mean(tf.square(tf.sub(tf.tanh(forward(x)), y))));
  },

  cnn({ side, channels, batch }, p) {
    return ({ x, y }) => {
      let h = tf.reshape(x, [batch, side, side, channels[0]]);
      for (let layer = 0; layer < channels.length - 1; layer++) {
        h = tf.relu(tf.add(tf.conv2d(h, p[`${layer}.weight`], 1, "same"), p[`${layer}.bias`]));
        h = tf.maxPool(h, 2, 2, "valid");
      }
      return crossEntropy(linear(tf.reshape(h, [batch, -1]), p, "output"), y);
    };
  },

  lstm({ steps, hidden, batch }, p, lookUp) {
    return ({ x, y }) => {
      // What the gates get of the tokens is one product over all steps.
      const bias = tf.add(p.bias_ih, p.bias_hh);
      const inputs = tf.split(tf.add(tf.matMul(lookUp(p.embedding, x), p.weight_ih), bias), steps, 0);
      let [h, c] = [tf.zeros([batch, hidden]), tf.zeros([batch, hidden])];
      const states = inputs.map((input) => {
        const [i, f, g, o] = tf.split(tf.add(input, tf.matMul(h, p.weight_hh)), 4, 1);
        c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
        h = tf.mul(tf.sigmoid(o), tf.tanh(c));
        return h;
      });
      return crossEntropy(linear(tf.concat(states, 0), p, "output"), y);
    };
  },

  gpt({ steps, dim, heads, blocks, batch }, p, lookUp) {
    const unseen = tf.tidy(() => tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([steps, steps]), -1, 0)), -1e9));
    const [rows, width] = [[batch * steps, dim], dim / heads];
    const attention = (x, name) => {
      const parts = tf.split(linear(x, p, `${name}.in_proj`), 3, 1);
      const [q, k, v] = parts.map((part) => tf.transpose(tf.reshape(part, [batch, steps, heads, width]), [0, 2, 1, 3]));
      const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width)), unseen);
      const seen = tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]);
      return linear(tf.reshape(seen, rows), p, `${name}.out_proj`);
    };
    return ({ x, y }) => {
      const embedded = tf.reshape(lookUp(p.embedding, x), [batch, steps, dim]);
      let h = tf.reshape(tf.add(embedded, p.positions), rows);
      for (let block = 0; block < blocks; block++) {
        h = tf.add(h, attention(norm(h, p, `${block}.norm1`), block));
        h = tf.add(h, linear(gelu(linear(norm(h, p, `${block}.norm2`), p, `${block}.linear1`)), p, `${block}.linear2`));
      }
      return crossEntropy(tf.matMul(norm(h, p, "norm"), p["output.weight"]), y);
    };
  },
};
