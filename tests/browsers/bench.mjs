// node bench.mjs [workload…] [--seconds N]: the CPU's workloads in the browsers that DOWNHILL_ENGINES names, side by side.
//
// What the machine does meanwhile must not decide: each round measures every browser once, every other round in reverse order, and a ratio is
// the median of the rounds' ratios. Each browser loads the build that it would give a person: with relaxed SIMD where it has that.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ENGINES } from "./engines/index.mjs";

const WORKLOADS = ["mlp-s-10", "mlp-s-128", "mlp-l", "gemm-512", "gemm-512-nt", "gemm-512-tn", "gemm-1024"];
const ROUNDS = 3;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: "string", default: "1" } } });
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new Error(`--seconds ${values.seconds} is no time`);
const unknown = positionals.filter((name) => !WORKLOADS.includes(name));
if (unknown.length) throw new Error(`no workload ${unknown}; there are ${WORKLOADS}`);
const url = process.env.DOWNHILL_URL ?? "http://127.0.0.1:8080/";
const names = (process.env.DOWNHILL_ENGINES ?? "chromium,firefox,webkit").split(",");

const isProduct = (workload) => workload.startsWith("gemm");
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** A page whose own run rests. */
async function open(name) {
  const engine = await ENGINES[name]();
  await engine.goto(url);
  while (!(await engine.evaluate(() => window.downhill?.state().step > 0))) await sleep(50);
  await engine.evaluate(() => window.downhill.pause());
  while (await engine.evaluate(() => window.downhill.state().running)) await sleep(50);
  return engine;
}

/** Rates of `workload` by browser, one for each round. */
async function measure(engines, workload) {
  const rates = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of round % 2 ? [...names].reverse() : names) {
      const answer = await engines[name].evaluate((what, time) => window.downhill.bench(what, time), workload, seconds);
      rates[name].push(isProduct(workload) ? answer.gflops : answer.stepsPerSec);
    }
  }
  return rates;
}

const engines = {};
try {
  for (const name of names) {
    engines[name] = await open(name);
    console.log(`${name}: ${await engines[name].evaluate(() => window.downhillWorker.bindings)}`);
  }
  console.log(["workload".padEnd(12), "unit".padEnd(8), ...names.map((name) => name.padStart(18))].join(" "));
  for (const workload of positionals.length ? positionals : WORKLOADS) {
    const rates = await measure(engines, workload);
    const cells = names.map((name) => {
      const ratio = median(rates[name].map((rate, round) => rate / rates[names[0]][round]));
      const rate = median(rates[name]);
      return `${rate.toFixed(rate < 1000 ? 1 : 0)} (${ratio.toFixed(2)})`.padStart(18);
    });
    console.log([workload.padEnd(12), (isProduct(workload) ? "GFLOP/s" : "steps/s").padEnd(8), ...cells].join(" "));
  }
} finally {
  await Promise.all(Object.values(engines).map((engine) => engine.close()));
}
