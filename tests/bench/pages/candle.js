// candle, compiled to wasm; there if it was built with --rust-peers.
import init, { Product, Training } from "/peers/candle.js";
import { exposeRust } from "./rust.js";

await init();
exposeRust({
  training: (network, ...data) => Training[network](...data),
  product: (...data) => new Product(...data),
  notes: "candle 0.11.1, simd128",
});
