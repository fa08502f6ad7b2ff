// What is measured on what, and how long in all: one table per kind of processor.

const GEMM_AIM = "≥ 95 % of limits";

/**
 * `role`: our own pages; `limit`s, the yardsticks of a product; everything else is a peer. The Rust peers are there if they were built. Pages that
 * are compared most closely stand side by side, for they are measured in this order.
 */
const CPU = {
  title: "On the CPU",
  seconds: 4,
  flags: [],
  pages: {
    downhill: { query: "page=downhill&build=plain", role: "ours", limit: "limits" },
    limits: { query: "page=limits&build=plain", role: "limit" },
    "downhill relaxed": { query: "page=downhill&build=relaxed", role: "ours", limit: "limits relaxed" },
    "limits relaxed": { query: "page=limits&build=relaxed", role: "limit" },
    hand: { query: "page=hand", role: "peer" },
    "tfjs cpu": { query: "page=tfjs&backend=cpu", role: "peer" },
    "tfjs wasm": { query: "page=tfjs&backend=wasm", role: "peer" },
    "jax-js wasm": { query: "page=jax&backend=wasm", role: "peer" },
    "candle wasm": { query: "page=candle", role: "peer", needs: "peers/candle.js" },
    "burn ndarray": { query: "page=burn&backend=ndarray", role: "peer", needs: "peers/burn_peer.js" },
    "burn flex": { query: "page=burn&backend=flex", role: "peer", needs: "peers/burn_peer.js" },
  },
  /** Workloads with what we want to reach, plain and relaxed. */
  aims: {
    "mlp-s-10": "≥ 2.5×",
    "mlp-s-128": "≥ 2.5×",
    "mlp-l": "≥ 1.3×, relaxed 1.5×",
    cnn: "≥ 2.8×",
    lstm: "≥ 3×",
    "gpt-s": "≥ 1.9×",
    "gemm-512": GEMM_AIM,
    "gemm-512-nt": GEMM_AIM,
    "gemm-512-tn": GEMM_AIM,
    "gemm-1024": GEMM_AIM,
  },
};

const WEBGPU = {
  title: "On WebGPU",
  onAdapter: true,
  // One step of the larger network takes a software adapter a fifth of a second.
  seconds: 9,
  // Without it headless Chromium has no WebGPU where there is no graphics card.
  flags: ["--enable-unsafe-webgpu"],
  pages: {
    "downhill webgpu": { query: "page=downhill&build=plain&backend=gpu", role: "ours", limit: "limits webgpu" },
    "limits webgpu": { query: "page=limits-webgpu", role: "limit" },
    "tfjs webgpu": { query: "page=tfjs&backend=webgpu", role: "peer" },
    "jax-js webgpu": { query: "page=jax&backend=webgpu", role: "peer" },
  },
  aims: {
    "mlp-s-10": "≥ 10×",
    "mlp-s-128": "–",
    "mlp-l": "≥ 2×",
    cnn: "≥ 3×",
    lstm: "≥ 5×",
    "gpt-s": "≥ 2×",
    "gemm-512": "≥ 90 % of limits",
    "gemm-1024": "≥ 90 % of limits",
  },
};

export const TABLES = [CPU, WEBGPU];
