// node conformance.mjs ENGINE URL: opens the page of a wasm test binary and prints what it says, up to the line with its result.
import { setTimeout as sleep } from "node:timers/promises";
import { ENGINES } from "./engines/index.mjs";

const PATIENCE_MS = 600_000;

/** Goes to `url` as soon as somebody answers there. */
async function arrive(engine, url) {
  for (let tries = 0; ; tries++) {
    const answers = await fetch(url).then(({ ok }) => ok, () => false);
    if (answers) return engine.goto(url);
    if (tries === 300) throw new Error(`nobody answers at ${url}`);
    await sleep(100);
  }
}

const [name, url] = process.argv.slice(2);
const engine = await ENGINES[name]();
try {
  await arrive(engine, url);
  const begin = Date.now();
  let told = 0;
  let text = "";
  while (!text.includes("test result: ")) {
    if (Date.now() - begin > PATIENCE_MS) throw new Error(`no result after ${PATIENCE_MS / 1000} s`);
    await sleep(500);
    text = await engine.evaluate(() => document.querySelector("#output")?.textContent ?? "");
    process.stdout.write(text.slice(told));
    told = text.length;
  }
  console.log();
  if (!text.includes("test result: ok")) {
    console.log(engine.errors.join("\n"));
    process.exitCode = 1;
  }
} finally {
  await engine.close();
}
