// The yardstick on WebGPU: the best of some hand-tuned matrix products on this adapter, and nothing around it.
import { expose } from "./measure.js";
import { normal } from "./random.js";
import { TILES } from "./wgsl.js";
import { GEMM } from "./workloads.js";

/** Each shape is tried so often and its best trial counts: a busy moment must not decide. */
const TRIALS = 3;
const TRIAL_MS = 150;

const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) throw new Error("there is no WebGPU adapter");
const device = await adapter.requestDevice();

function storage(values) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: values.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}

async function read(buffer) {
  const copy = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  return new Float32Array(copy.getMappedRange());
}

/** Returns the product as a function that only queues it. */
async function compile(tile, n, buffers) {
  const module = device.createShaderModule({ code: tile.code(n) });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...tile.groups(n));
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}

/** A yardstick that computes something else would be no yardstick. */
function check(n, a, b, c, name) {
  for (const [row, column] of [[0, 0], [n - 1, n - 1], [n >> 1, 3], [77, n - 2]]) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
    const error = Math.abs(sum - c[row * n + column]);
    if (!(error < 1e-3)) throw new Error(`${name}: the product is off by ${error} at ${row}, ${column}`);
  }
}

async function trial(multiply) {
  const begin = performance.now();
  let products = 0;
  while (performance.now() - begin < TRIAL_MS) {
    multiply();
    await device.queue.onSubmittedWorkDone();
    products++;
  }
  return products / (performance.now() - begin);
}

async function prepare(workload) {
  const { n } = GEMM[workload];
  const [a, b] = [1, 2].map((seed) => normal(n * n, 1, seed));
  const [left, right, product] = [a, b, new Float32Array(n * n)].map(storage);
  const shapes = [];
  for (const { name, ...tile } of TILES) {
    device.queue.writeBuffer(product, 0, new Float32Array(n * n));
    const multiply = await compile(tile, n, [left, right, product]);
    multiply();
    check(n, a, b, await read(product), name);
    shapes.push({ name, multiply, rate: 0 });
  }
  for (let i = 0; i < TRIALS; i++) for (const shape of shapes) shape.rate = Math.max(shape.rate, await trial(shape.multiply));
  const { multiply, name } = shapes.sort((x, y) => y.rate - x.rate)[0];
  return { multiply, settle: () => device.queue.onSubmittedWorkDone(), notes: name };
}

const straight = Object.keys(GEMM).filter((name) => !GEMM[name].transposeA && !GEMM[name].transposeB);
expose(Object.fromEntries(straight.map((name) => [name, prepare])));
