// Burn, compiled to wasm; ?backend=flex or ndarray; there if it was built with --rust-peers.
import init, { Product, Training } from "/peers/burn_peer.js";
import { exposeRust } from "./rust.js";

const backend = window.options.get("backend");
await init();
exposeRust({
  training: (network, ...data) => Training[network](backend, ...data),
  product: (...data) => new Product(backend, ...data),
  notes: `Burn 0.22.1 ${backend}, simd128`,
});
