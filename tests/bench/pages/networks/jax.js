// The networks in jax-js. Each is told its sizes and gives the loss as a function of parameters by name and a batch. jax-js frees what a function
// consumes: `.ref` keeps a value for another use.
import { lax, nn, numpy as np } from "@jax-js/jax";

const linear = (x, p, name) => np.matmul(x, p[`${name}.weight`]).add(p[`${name}.bias`]);

/** `y` is one-hot. */
const crossEntropy = (logits, y) => nn.logSoftmax(logits).mul(y).sum(-1).mean().neg();

function norm(x, p, name) {
  const centered = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centered.ref), -1, { keepdims: true });
  return centered.mul(np.reciprocal(np.sqrt(variance.add(1e-5)))).mul(p[`${name}.weight`]).add(p[`${name}.bias`]);
}

export const NETWORKS = {
  mlp({ sizes, classes }) {
    const last = sizes.length - 2;
    const hidden = classes ? nn.relu : np.tanh;
    const forward = (p, x) => {
      for (let layer = 0; layer < last; layer++) x = hidden(linear(x, p, layer));
      return linear(x, p, last);
    };
    return (p, x, y) => (classes ? crossEntropy(forward(p, x), y) : np.square(np.tanh(forward(p, x)).sub(y)).mean());
  },

  cnn({ side, channels, batch }) {
    return (p, x, y) => {
      let h = x.reshape([batch, channels[0], side, side]);
      for (let layer = 0; layer < channels.length - 1; layer++) {
        const bias = p[`${layer}.bias`].reshape([channels[layer + 1], 1, 1]);
        h = nn.relu(lax.convGeneralDilated(h, p[`${layer}.weight`], [1, 1], "SAME").add(bias));
        h = lax.reduceWindow(h, np.max, [2, 2], [2, 2]);
      }
      return crossEntropy(linear(h.reshape([batch, -1]), p, "output"), y);
    };
  },

  lstm({ steps, hidden, batch }) {
    return (p, x, y) => {
      // What the gates get of the tokens is one product over all steps. There is no scan: the steps are unrolled.
      const inputs = np.matmul(np.matmul(x, p.embedding), p.weight_ih).add(p.bias_ih.add(p.bias_hh));
      let [h, c] = [np.zeros([batch, hidden]), np.zeros([batch, hidden])];
      const states = np.split(inputs, steps, 0).map((input) => {
        const [i, f, g, o] = np.split(input.add(np.matmul(h, p.weight_hh.ref)), 4, 1);
        c = nn.sigmoid(f).mul(c).add(nn.sigmoid(i).mul(np.tanh(g)));
        h = nn.sigmoid(o).mul(np.tanh(c.ref));
        return h.ref;
      });
      [h, c, p.weight_hh].forEach((value) => value.dispose());
      return crossEntropy(linear(np.concatenate(states, 0), p, "output"), y);
    };
  },

  gpt({ steps, dim, heads, blocks, batch }) {
    const rows = [batch * steps, dim];
    const attention = (x, p, name) => {
      const parts = np.split(linear(x, p, `${name}.in_proj`), 3, 1);
      const [q, k, v] = parts.map((part) => part.reshape([batch, steps, heads, dim / heads]));
      return linear(nn.dotProductAttention(q, k, v, { isCausal: true }).reshape(rows), p, `${name}.out_proj`);
    };
    const feedForward = (x, p, name) => linear(nn.gelu(linear(x, p, `${name}.linear1`), { approximate: false }), p, `${name}.linear2`);
    return (p, x, y) => {
      let h = np.matmul(x, p.embedding).reshape([batch, steps, dim]).add(p.positions).reshape(rows);
      for (let block = 0; block < blocks; block++) {
        h = h.ref.add(attention(norm(h, p, `${block}.norm1`), p, block));
        h = h.ref.add(feedForward(norm(h, p, `${block}.norm2`), p, block));
      }
      return crossEntropy(np.matmul(norm(h, p, "norm"), p["output.weight"]), y);
    };
  },
};
