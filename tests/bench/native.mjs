// node native.mjs [workload…] [--seconds N]: Downhill and PyTorch, both natively on one thread, in turn; NATIVE.md when every workload ran.
//
// `downhill` is the release build's command. Python is the one that DOWNHILL_PYTHON names, or that of `cargo xtask parity`.
import { execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs, promisify } from "node:util";
import { median, occasion, rateText, ratio, row } from "./rates.mjs";

const here = import.meta.dirname;
const target = process.env.CARGO_TARGET_DIR ?? join(here, "../../target");
const DOWNHILL = join(target, "release/downhill");
const PYTHON = process.env.DOWNHILL_PYTHON ?? join(here, "../../target/parity-venv/bin/python");
/** Each round measures both, every other round PyTorch first: a machine that gets slower or faster does so for both. */
const ROUNDS = 5;
/** Workloads with what we want to reach of PyTorch's rate. */
const AIMS = { "mlp-l": "–", cnn: "–", lstm: "≥ 0.7×", "gpt-s": "≥ 0.7×" };

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: "string" } } });
const unknown = positionals.filter((name) => !AIMS[name]);
if (unknown.length) throw new Error(`no workload ${unknown}; there are ${Object.keys(AIMS)}`);
const seconds = Number(values.seconds ?? 10);
if (!(seconds > 0)) throw new Error(`--seconds ${values.seconds} is no time`);

/** A process of native.py; `ask` returns its answer to a workload. */
async function pytorch() {
  const python = spawn(PYTHON, [join(here, "native.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const failed = new Promise((_, reject) => {
    python.on("error", (error) => reject(new Error(`${PYTHON}: ${error.message}; \`cargo xtask parity\` installs it, or name one in DOWNHILL_PYTHON`)));
    python.on("exit", (code) => reject(new Error(`native.py ended with ${code}`)));
  });
  failed.catch(() => {});
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const answer = async () => JSON.parse(await Promise.race([lines.next().then(({ value }) => value), failed]));
  const { version } = await answer();
  const ask = (workload, time) => {
    python.stdin.write(`${workload} ${time}\n`);
    return answer();
  };
  return { version, ask, end: () => python.stdin.end() };
}

async function downhill(workload, time) {
  const { stdout } = await promisify(execFile)(DOWNHILL, ["bench", workload, "--seconds", String(time)]);
  return JSON.parse(stdout);
}

/** All rounds of a workload: rates of both, and how their losses fell in the last round. */
async function measure(workload, engines) {
  const sides = Object.keys(engines).map((name) => ({ name, rates: [] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of round % 2 ? [...sides].reverse() : sides) {
      const { stepsPerSec, lossFirst, lossLast } = await engines[side.name](workload, seconds / ROUNDS);
      if (!(lossLast < lossFirst)) throw new Error(`${side.name}, ${workload}: the loss went from ${lossFirst} to ${lossLast}`);
      side.rates.push(stepsPerSec);
      Object.assign(side, { lossFirst, lossLast });
    }
  }
  return sides;
}

function report(version, cells) {
  const rows = Object.entries(cells).map(([workload, [ours, theirs]]) => {
    const rates = [ours, theirs].map(({ rates }) => rateText(median(rates)));
    return row([workload, ...rates, `${ratio(ours, theirs).toFixed(2)}×`, AIMS[workload]]);
  });
  return `# Natively, beside PyTorch

Written by \`cargo xtask bench --native\`; do not edit. Full training steps (forward, loss, backward, Adam) in f32 on one thread, as steps per second:
\`downhill bench\` of the release build, and PyTorch's eager mode with its own layers (\`native.py\`), networks and sizes alike. Both are measured in turn,
${ROUNDS} times, every other time in reverse, ${seconds} s in all after a warm-up each time; a rate is the median of its rounds, a ratio the median of their ratios.

- ${occasion()}
- PyTorch ${version}, Node ${process.versions.node}

${[row(["", "Downhill", "PyTorch", "ratio", "aim"]), row(["---", "---:", "---:", "---:", "---:"]), ...rows].join("\n")}
`;
}

const { version, ask, end } = await pytorch();
const cells = {};
try {
  for (const workload of positionals.length ? positionals : Object.keys(AIMS)) {
    cells[workload] = await measure(workload, { downhill, pytorch: ask });
    const [ours, theirs] = cells[workload];
    for (const side of cells[workload]) console.log(JSON.stringify({ workload, ...side }));
    console.log(`${workload}: ${ratio(ours, theirs).toFixed(2)}× PyTorch (${AIMS[workload]})`);
  }
} finally {
  end();
}
if (positionals.length || values.seconds) console.log("NATIVE.md stays as it is: it is written by a run of everything at its own length");
else writeFileSync(join(here, "NATIVE.md"), report(version, cells));
