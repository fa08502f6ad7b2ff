// How every page is timed. A page calls expose({ workload: prepare }); prepare returns one of
//   { step(i), loss(), notes }   one full training step (may return a promise); the loss of the last step, read back to JS
//   { multiply(), settle(), notes }   one matrix product; settle waits until the queued ones are done
import { GEMM } from "./workloads.js";

const WINDOWS = 7;
/** Long enough for the JIT at the first call; a later one only wakes the processor. */
const FIRST_WARM_MS = 1500;
const WARM_MS = 300;
/** A page that trains reads its loss now and then, as a playground does. */
const STEPS_PER_LOSS = 10;
const PRODUCTS_PER_WAIT = 4;
/** A page that takes longer for one is given up: nobody would wait for it. */
const LONGEST_S = 60;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Does `run(count)` again and again for `ms`, at least once; returns units per second. */
async function rate(run, count, ms) {
  const begin = performance.now();
  let units = 0;
  do {
    await run(count);
    units += count;
  } while (performance.now() - begin < ms);
  return (units * 1000) / (performance.now() - begin);
}

/** Returns a measurement of `run(count)`, which has run once, where `most` units at a time are done by all but the slowest. */
function meter(run, most) {
  let warmMs = FIRST_WARM_MS;
  return async (seconds) => {
    const guess = await rate(run, 1, warmMs);
    warmMs = WARM_MS;
    if (guess * LONGEST_S < 1) throw new Error(`one step takes ${Math.round(1 / guess)} s, more than the limit of ${LONGEST_S} s`);
    // What takes longer than there is time was measured by its warm-up.
    if (guess * seconds < 1) return { stepsPerSec: guess, min: guess, max: guess };
    const count = Math.max(1, Math.min(most, Math.floor(guess * seconds)));
    const deadline = performance.now() + 1500 * seconds;
    const rates = [];
    do rates.push(await rate(run, count, (seconds * 1000) / WINDOWS));
    while (rates.length < WINDOWS && performance.now() < deadline);
    return { stepsPerSec: median(rates), min: Math.min(...rates), max: Math.max(...rates) };
  };
}

async function trainingMeter({ step, loss, notes }) {
  await step(0);
  const lossFirst = await loss();
  let [steps, lossLast] = [1, lossFirst];
  const measure = meter(async (count) => {
    for (let i = 0; i < count; i++) {
      const pending = step(steps++);
      if (pending?.then) await pending;
    }
    lossLast = await loss();
  }, STEPS_PER_LOSS);
  return async (seconds) => ({ ...(await measure(seconds)), steps, lossFirst, lossLast, notes });
}

async function productMeter({ multiply, settle, notes }, { n }) {
  const run = async (count) => {
    for (let i = 0; i < count; i++) await multiply();
    await settle();
  };
  await run(1);
  const measure = meter(run, PRODUCTS_PER_WAIT);
  return async (seconds) => {
    const rates = await measure(seconds);
    return { ...rates, gflops: (2 * n ** 3 * rates.stepsPerSec) / 1e9, notes };
  };
}

/** Sets `window.bench(workload, seconds)` and `window.ready`. What is called again trains on. */
export function expose(prepare) {
  const meters = {};
  window.bench = async (workload, seconds) => {
    if (!prepare[workload]) return { missing: true };
    if (!meters[workload]) {
      const prepared = await prepare[workload](workload);
      meters[workload] = await (prepared.multiply ? productMeter(prepared, GEMM[workload]) : trainingMeter(prepared));
    }
    return meters[workload](seconds);
  };
  window.ready = true;
}
