// How every page is timed. A page calls expose({ workload: prepare }); prepare returns one of
//   { step(i), loss(), notes }   one full training step (may return a promise); the loss of the last step, read back to JS
//   { multiply(), settle(), notes }   one matrix product; settle waits until the queued ones are done
import { GEMM } from "./workloads.js";

const WINDOWS = 7;
const WARM_MS = 1500;
/** A page that trains reads its loss now and then, as a playground does. */
const STEPS_PER_LOSS = 10;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Repeats `round` (which returns how many units it did) for `ms`, at least once; returns units per second. */
async function rate(round, ms) {
  const begin = performance.now();
  let units = 0;
  do units += await round();
  while (performance.now() - begin < ms);
  return (units * 1000) / (performance.now() - begin);
}

async function windows(round, seconds) {
  await rate(round, WARM_MS);
  const rates = [];
  for (let i = 0; i < WINDOWS; i++) rates.push(await rate(round, (seconds * 1000) / WINDOWS));
  return { stepsPerSec: median(rates), min: Math.min(...rates), max: Math.max(...rates) };
}

async function measureTraining({ step, loss, notes }, seconds) {
  let steps = 0;
  await step(steps++);
  const lossFirst = await loss();
  let lossLast = lossFirst;
  const rates = await windows(async () => {
    for (let i = 0; i < STEPS_PER_LOSS; i++) {
      const pending = step(steps++);
      if (pending?.then) await pending;
    }
    lossLast = await loss();
    return STEPS_PER_LOSS;
  }, seconds);
  return { ...rates, lossFirst, lossLast, notes };
}

async function measureProduct({ multiply, settle, notes }, { n }, seconds) {
  const rates = await windows(async () => {
    for (let i = 0; i < 4; i++) await multiply();
    await settle();
    return 4;
  }, seconds);
  return { ...rates, gflops: (2 * n ** 3 * rates.stepsPerSec) / 1e9, notes };
}

/** Sets `window.bench(workload, seconds)` and `window.ready`. */
export function expose(prepare) {
  window.bench = async (workload, seconds) => {
    if (!prepare[workload]) return { missing: true };
    const prepared = await prepare[workload](workload);
    return prepared.multiply ? measureProduct(prepared, GEMM[workload], seconds) : measureTraining(prepared, seconds);
  };
  window.ready = true;
}
