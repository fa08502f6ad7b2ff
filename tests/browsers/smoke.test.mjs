// What a person does first, in browsers other than Chromium: `DOWNHILL_URL=… DOWNHILL_ENGINES=firefox,webkit DOWNHILL_WEBGPU=firefox node --test`.
// Screenshots go to results/, to be looked at.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deflateRawSync } from "node:zlib";
import { ENGINES } from "./engines/index.mjs";

const url = process.env.DOWNHILL_URL ?? "http://127.0.0.1:8080/";
const results = join(import.meta.dirname, "results");
const PATIENCE_MS = 60_000;
/** What a test, an opening or a closing may take before the browser counts as hung. */
const timeout = 2 * PATIENCE_MS;
/** The last pictures of a run come a moment after its end. */
const SETTLED_MS = 500;

const link = (experiment) => `#c=1.${deflateRawSync(JSON.stringify(experiment)).toString("base64url")}`;

/** A page of one engine, with what all tests do in it. */
class Lab {
  constructor(name, engine) {
    Object.assign(this, { name, engine });
  }

  /** Opens the page afresh, or a link to an experiment, and waits until it trains. */
  async open(fragment = "") {
    await this.engine.goto("about:blank");
    await this.engine.goto(`${url}${fragment}`);
    const state = await this.reach(({ step }) => step > 0, "a first step");
    // It trains before all of the page is there.
    await this.see(() => Boolean(document.querySelector("#drawer") && document.querySelector(".net.placed")), Boolean, "the whole page");
    return state;
  }

  state() {
    return this.engine.evaluate(() => window.downhill?.state() ?? { step: 0, metrics: {} });
  }

  /** Waits until `accept` takes the state of the page. */
  async reach(accept, what, patience = PATIENCE_MS) {
    const begin = Date.now();
    for (;;) {
      const state = await this.state();
      if (accept(state)) return state;
      if (Date.now() - begin > patience) assert.fail(`${what} was not reached: ${JSON.stringify(state)}`);
      await sleep(50);
    }
  }

  /** Waits until `read`, run in the page, gives something that `accept` takes. */
  async see(read, accept, what) {
    const begin = Date.now();
    for (;;) {
      const seen = await this.engine.evaluate(read);
      if (accept(seen)) return seen;
      if (Date.now() - begin > PATIENCE_MS) assert.fail(`${what} was not seen: ${JSON.stringify(seen)}`);
      await sleep(50);
    }
  }

  id(name) {
    return `[data-testid=${name}]`;
  }

  /** The page at rest: what is on screen in the middle of a run depends on the machine. */
  async screenshot(what) {
    await this.engine.evaluate(() => window.downhill.pause());
    await this.reach(({ running }) => !running, "rest");
    await sleep(SETTLED_MS);
    await this.engine.screenshot(join(results, `${this.name}-${what}.png`));
  }
}

/** Ten numbers with one digit behind the point each, once the network has looked at what is drawn. */
const probabilities = () => [...document.querySelectorAll("[data-testid=probabilities] .num")].map((bar) => bar.textContent);
const whole = (bars) => bars.length === 10 && Math.abs(bars.reduce((sum, text) => sum + Number(text), 0) - 100) < 1;

const SMOKE = [
  [
    "hears what goes wrong on the page",
    async (lab) => {
      await lab.open();
      await lab.engine.evaluate(() => {
        console.error("told");
        setTimeout(() => {
          throw new Error("thrown");
        });
      });
      const { errors } = lab.engine;
      for (let waited = 0; errors.length < 2 && waited < PATIENCE_MS; waited += 50) await sleep(50);
      assert.match(errors.splice(0).sort().join(), /^[^,]*thrown[^,]*,[^,]*told[^,]*$/);
    },
  ],
  [
    "learns two spirals from the start",
    async (lab) => {
      await lab.open();
      const state = await lab.reach(({ metrics }) => metrics.validation_accuracy >= 0.97, "a validation accuracy of 0.97");
      assert.ok("spirals" in state.experiment.data);
      await lab.screenshot("spirals");
    },
  ],
  [
    "learns digits, and one that is drawn moves the ten probabilities",
    async (lab) => {
      await lab.open("#p=digits");
      await lab.reach(({ metrics }) => metrics.validation_accuracy > 0.8, "a validation accuracy of 0.8");
      // At rest, only the pen can move them.
      await lab.engine.evaluate(() => window.downhill.pause());
      await lab.reach(({ running }) => !running, "rest");
      await lab.engine.click(lab.id("clear"));
      const mistake = await lab.see(probabilities, whole, "ten probabilities");
      const { x, y, width, height } = await lab.engine.evaluate(() => {
        const pad = document.querySelector("[data-testid=pad]");
        pad.scrollIntoView({ block: "nearest" });
        const { x, y, width, height } = pad.getBoundingClientRect();
        return { x, y, width, height };
      });
      await lab.engine.drag([[x + width / 2, y + 0.1 * height], [x + width / 2, y + 0.9 * height]]);
      await lab.see(probabilities, (bars) => whole(bars) && `${bars}` !== `${mistake}`, "what the network thinks of a stroke");
      await lab.screenshot("pad");
    },
  ],
  [
    "understands a table that is pasted, and learns from it",
    async (lab) => {
      await lab.open();
      await lab.engine.click(lab.id("own"));
      const rows = Array.from({ length: 60 }, (_, i) => `${i % 7},${(i * 3) % 5},${i % 7 > 3 ? "yes" : "no"}`);
      await lab.see(() => Boolean(document.querySelector("[data-testid=csv]")), Boolean, "the field for a table");
      // What the browser does with a clipboard that holds text.
      const paste = (text) => {
        document.querySelector("[data-testid=csv]").focus();
        return document.execCommand("insertText", false, text);
      };
      assert.ok(await lab.engine.evaluate(paste, ["a,b,answer", ...rows, "4,,yes", "1,2"].join("\n")));
      const trouble = () => document.querySelector("[data-testid=csv-trouble]")?.textContent ?? "";
      await lab.see(trouble, (text) => text.includes("Line"), "the line that is too short");
      await lab.reach(({ experiment, step }) => JSON.stringify(experiment).includes("answer") && step > 0, "a step on the table");
      await lab.reach(({ metrics }) => metrics.validation_accuracy >= 0.9, "a validation accuracy of 0.9");
      await lab.screenshot("table");
    },
  ],
  [
    "opens a link, and the same link gives the same run",
    async (lab) => {
      const experiment = { version: 1, data: "moons", model: [{ linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }], training: { steps: 300 }, view: { pace: "max" } };
      const losses = [];
      for (let run = 0; run < 2; run++) {
        await lab.open(link(experiment));
        losses.push((await lab.reach(({ step, running }) => step === 300 && !running, "step 300")).metrics.validation_loss);
      }
      assert.ok(losses[0] > 0);
      assert.equal(losses[1], losses[0]);
    },
  ],
];

/** Examples of widgets, and what each has come to when it works, read in the page. */
const EXAMPLES = {
  "plain.html": () => stepsOf("downhill-lab"),
  "hostile.html": () => stepsOf("downhill-lab"),
  "rtl.html": () => stepsOf("downhill-lab"),
  "print.html": () => stepsOf("downhill-lab"),
  "article.html": () => /\d %/.test(document.getElementById("score").textContent),
  "notebook.html": () => /"step":200/.test(document.getElementById("cell").textContent),
  "sandbox.html": () => /step [1-9]/.test(document.getElementById("said").textContent),
  "slides.html": () => {
    const first = document.querySelector("section").className === "now";
    if (first) document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    return stepsOf("#circles");
  },
};

/** Whether a widget has taken steps, in the page of an example. */
const STEPS = `<script>window.stepsOf = async (name) => Boolean(customElements.get("downhill-lab")) && (await document.querySelector(name).run()).state().step > 10;</script>`;

/** Serves the examples from an origin of their own, their scripts from the one of the Lab. */
async function host() {
  const folder = new URL("../../static/examples/", import.meta.url);
  const server = createServer(async (request, reply) => {
    const name = request.url.slice(1);
    const page = name in EXAMPLES && (await readFile(new URL(name, folder), "utf8"));
    reply.writeHead(page ? 200 : 204, { "Content-Type": "text/html; charset=utf-8" });
    reply.end(page ? page.replaceAll('"../', `"${url}`).replaceAll("`../", `\`${url}`).replace("<title>", `${STEPS}<title>`) : "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

SMOKE.push([
  "trains in each example of a widget, on a page of another origin",
  async (lab) => {
    const server = await host();
    try {
      for (const [name, works] of Object.entries(EXAMPLES)) {
        await lab.engine.goto(`http://127.0.0.1:${server.address().port}/${name}`);
        await lab.see(works, Boolean, `what ${name} does`);
      }
      await lab.engine.goto("about:blank");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
]);

/** Where WebGPU is there: a run moves to the GPU and back, and both compute the same. */
const WEBGPU = [
  "trains on WebGPU, moves there and back in the middle of a run, and Compare finds no difference",
  async (lab) => {
    const run = { version: 1, data: "spirals", model: [{ linear: { out: 8 } }, "tanh", { linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }] };
    const { run: number } = await lab.open(link(run));
    const goesOn = async (backend, from) => {
      await lab.engine.evaluate((choice) => window.downhill.choose(choice), backend);
      const there = await lab.reach((state) => state.backend === backend, `training on the ${backend}`);
      assert.ok(there.step >= from);
      const on = await lab.reach(({ step }) => step > there.step + 20, `steps on the ${backend}`);
      assert.equal(on.run, number);
      return on.step;
    };
    const onGpu = await goesOn("gpu", 0);
    const onCpu = await goesOn("cpu", onGpu);
    await goesOn("gpu", onCpu);
    const comparison = await lab.engine.evaluate(() => window.downhill.compare(20));
    assert.equal(comparison.agrees, true, JSON.stringify(comparison));
    assert.equal(comparison.steps, 20);
    await lab.screenshot("webgpu");
  },
];

await mkdir(results, { recursive: true });
const list = (variable, otherwise) => (process.env[variable] ?? otherwise).split(",");
for (const name of list("DOWNHILL_ENGINES", "firefox,webkit")) {
  describe(name, () => {
    let lab;
    before(async () => (lab = new Lab(name, await ENGINES[name]())), { timeout });
    after(() => lab?.engine.close(), { timeout });
    for (const [what, check] of list("DOWNHILL_WEBGPU", "firefox").includes(name) ? [...SMOKE, WEBGPU] : SMOKE) {
      test(what, { timeout }, async () => {
        await check(lab);
        assert.equal(await lab.engine.evaluate(() => document.querySelector("#crash")?.hidden ?? true), true, "the crash overlay is shown");
        assert.deepEqual(lab.engine.errors.splice(0), []);
      });
    }
  });
}
// A browser that hangs and cannot be closed does not keep the tests from ending.
after(() => setTimeout(() => process.exit(), 5_000).unref());
