// Which device trains: the choice, the move, the loss of the device, and what the page says of it.
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import config from "../playwright.config";
import { inWorker, Lab, link, type State } from "../lab";

// A GPU that every machine has: the browser's own software adapter, which the page must not choose by itself.
const launch = config.use!.launchOptions!;
test.use({ launchOptions: { ...launch, args: [...launch.args!, "--enable-unsafe-webgpu"] } });
// Everything that the GPU is asked to do, this one does on the processor that the page and the browser need too.
test.setTimeout(180_000);
const SLOW = 60_000;

// Runs without an end, at the pace that a person watches.
const run = (hidden: number) => link({ version: 1, data: "spirals", model: [{ linear: { out: hidden } }, "tanh", { linear: { out: hidden } }, "tanh", { linear: { out: "classes" } }] });
const small = run(8);
const wide = run(256);

/** Opens the page, asks for the GPU and waits until it trains. */
async function openOnGpu(page: Page): Promise<Lab> {
  const lab = new Lab(page);
  await lab.open(small);
  await page.evaluate(() => window.downhill!.choose("gpu"));
  await lab.reach((state) => state.backend === "gpu" && state.stepsPerSecond > 0, SLOW);
  return lab;
}

/** Waits for steps beyond `from`. */
async function goesOn(lab: Lab, from: State): Promise<State> {
  await lab.page.waitForFunction((step) => window.downhill!.state().step > step, from.step + 20, { timeout: SLOW });
  const state = await lab.state();
  expect(state.run).toBe(from.run);
  return state;
}

test("the run begins on the CPU, and a software adapter is known for what it is and not chosen", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(small);
  await expect(page.getByTestId("backend")).toContainText("CPU");
  await page.evaluate(() => window.downhill!.choose("gpu"));
  const { backends } = await lab.reach((state) => state.backends.gpu.state === "ready", SLOW);
  expect(backends.gpu).toMatchObject({ software: true, api: "WebGPU" });
  await page.evaluate(() => window.downhill!.choose("auto"));
  await lab.reach((state) => state.backend === "cpu" && state.backends.choice === "auto", SLOW);
});

test("the mouse switches to the GPU and back in the middle of a run, and no step is lost", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(small);
  await page.getByTestId("backend").click();
  const pop = page.getByRole("dialog", { name: "What trains" });
  let before = await lab.state();
  await pop.getByRole("radio", { name: /^(Web)?GPU/ }).check();
  let after = await lab.reach((state) => state.backend === "gpu", SLOW);
  expect(after.step).toBeGreaterThanOrEqual(before.step);
  await expect(page.getByTestId("backend")).toContainText("WebGPU");
  await expect(pop).toContainText("Computes on the processor after all");
  before = await goesOn(lab, after);
  await pop.getByRole("radio", { name: /^CPU/ }).check();
  after = await lab.reach((state) => state.backend === "cpu", SLOW);
  expect(after.step).toBeGreaterThanOrEqual(before.step);
  await goesOn(lab, after);
  expect(lab.errors).toEqual([]);
});

test("keys open the choice, make it and close it", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(small);
  const pop = page.getByRole("dialog", { name: "What trains" });
  await page.getByTestId("backend").focus();
  await page.keyboard.press("Enter");
  await expect(pop).toBeVisible();
  await expect(pop.getByRole("radio", { name: /^Auto/ })).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(pop.getByRole("radio", { name: /^CPU/ })).toBeChecked();
  await lab.reach((state) => state.backends.choice === "cpu");
  await page.keyboard.press("Tab");
  await expect(page.getByTestId("compare")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(pop).toBeHidden();
  await expect(page.getByTestId("backend")).toBeFocused();
});

test("twenty steps on both differ by rounding and no more, and the run stays as it is", async ({ page }) => {
  const lab = await openOnGpu(page);
  await page.getByTestId("play").click();
  const before = await lab.reach((state) => !state.running);
  await page.getByTestId("backend").click();
  await page.getByTestId("compare").click();
  const dialog = page.getByRole("dialog", { name: "CPU and GPU compared" });
  await expect(dialog).toContainText("They agree to the accuracy of 32-bit numbers", { timeout: SLOW });
  await expect(dialog.getByRole("row", { name: /^linear .*#0 weight \d/ })).toBeVisible();
  await dialog.getByRole("button", { name: "Close" }).click();
  await expect(dialog).toBeHidden();
  const comparison = await page.evaluate(() => window.downhill!.compare(20));
  expect(comparison).toMatchObject({ steps: 20, agrees: true });
  expect(comparison.rows.length).toBeGreaterThan(3);
  expect(Math.max(...comparison.rows.map((row) => row.relative))).toBeLessThanOrEqual(1e-3);
  expect(comparison.loss.gpu).toBeCloseTo(comparison.loss.cpu, 3);
  expect((await lab.state()).step).toBe(before.step);
});

for (const backend of ["cpu", "gpu"] as const) {
  test(`every kernel is measured on the ${backend}`, async ({ page }) => {
    const lab = backend === "gpu" ? await openOnGpu(page) : new Lab(page);
    if (backend === "cpu") await lab.open(small);
    await page.getByTestId("backend").click();
    await page.getByTestId("profile").click();
    await expect(page.getByRole("dialog", { name: "What trains" })).toBeHidden();
    const table = page.getByRole("table", { name: /Kernels of a training step/ });
    await expect(table.getByRole("row", { name: /linear/ }).first()).toBeVisible({ timeout: SLOW });
    await expect(page.getByTestId("phases")).toContainText(/forward.*backward.*update/);
    const profile = await page.evaluate(() => window.downhill!.profile());
    expect(profile.backend).toBe(backend);
    expect(new Set(profile.rows.map((row) => row.phase))).toEqual(new Set(["forward", "backward", "update"]));
    for (const row of profile.rows) expect(row.nanoseconds, row.kernel).toBeGreaterThan(0);
    expect(Math.min(profile.peakBytes, profile.peakFlops)).toBeGreaterThan(0);
    await goesOn(lab, await lab.state());
  });
}

test("a device that is lost costs two seconds at most, and the GPU can be asked back", async ({ page }) => {
  const lab = await openOnGpu(page);
  const before = await goesOn(lab, await lab.state());
  await page.evaluate(() => window.downhill!.loseDevice());
  const after = await lab.reach((state) => state.backend === "cpu" && state.backends.mayReturn, SLOW);
  expect(after.step).toBeGreaterThanOrEqual(before.step - 3 * Math.max(before.stepsPerSecond, 10));
  expect(after.backends.note).not.toBe("");
  await goesOn(lab, after);
  await expect(page.getByTestId("notices")).toContainText(after.backends.note);
  await page.getByTestId("return").click();
  await goesOn(lab, await lab.reach((state) => state.backend === "gpu" && !state.backends.mayReturn, SLOW));
  await expect(page.getByTestId("return")).toBeHidden();
  await expect(page.locator("#crash")).toBeHidden();
});

test("a device that is lost at its tenth submit after every return never stops the run", async ({ page }) => {
  await inWorker(
    page,
    `let left = Infinity;
    new BroadcastChannel("lose").onmessage = () => {
      left = 10;
    };
    const { submit } = GPUQueue.prototype;
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...wanted) {
      const device = await requestDevice.apply(this, wanted);
      device.queue.submit = (buffers) => {
        submit.call(device.queue, buffers);
        if (--left > 0) return;
        left = Infinity;
        device.destroy();
      };
      return device;
    };`,
  );
  const lab = new Lab(page);
  await lab.open(small);
  for (let loss = 0; loss < 3; loss++) {
    await page.evaluate(() => window.downhill!.choose("gpu"));
    await lab.reach((state) => state.backend === "gpu" && !state.backends.mayReturn, SLOW);
    await page.evaluate(() => new BroadcastChannel("lose").postMessage(null));
    const after = await lab.reach((state) => state.backend === "cpu" && state.backends.mayReturn, SLOW);
    expect(after.backends.gpu.state).toBe("unusable");
    await goesOn(lab, after);
  }
  await expect(page.locator("#crash")).toBeHidden();
});

const faults = [
  ["runs out of memory", `new GPUOutOfMemoryError("There is no room.")`, "out of memory"],
  ["finds a command invalid", `new GPUValidationError("A buffer is too small.")`, "A buffer is too small"],
  ["fails inside", `new GPUInternalError("The compiler gave up.")`, "The compiler gave up"],
] as const;
for (const [what, error, told] of faults) {
  test(`a device that ${what} leaves the run on the CPU, and the page says why`, async ({ page }) => {
    await inWorker(
      page,
      `const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = async function (...wanted) {
        return (self.device = await requestDevice.apply(this, wanted));
      };`,
    );
    const lab = await openOnGpu(page);
    await page.workers()[0]!.evaluate(`void device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error: ${error} }))`);
    const after = await lab.reach((state) => state.backend === "cpu" && state.backends.mayReturn, SLOW);
    expect(after.backends.note).toContain(told);
    await goesOn(lab, after);
    await expect(page.getByTestId("notices")).toContainText(told);
    await expect(page.locator("#crash")).toBeHidden();
  });
}

test("a GPU process that is killed leaves the run on the CPU", async ({ page, browser }) => {
  const lab = await openOnGpu(page);
  const session = await browser.newBrowserCDPSession();
  await session.send("Browser.crashGpuProcess").catch(() => {});
  const after = await lab.reach((state) => state.backend === "cpu" && state.backends.note !== "", SLOW);
  await goesOn(lab, after);
  await expect(page.locator("#crash")).toBeHidden();
});

test("axe finds nothing in the choice, the comparison and the measurement", async ({ page }) => {
  await openOnGpu(page);
  const look = async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await expect(page.locator("html")).toHaveAttribute("data-theme", colorScheme);
      const axe = new AxeBuilder({ page }).options({ resultTypes: ["violations"] });
      const { violations } = await (colorScheme === "dark" ? axe.withRules("color-contrast") : axe).analyze();
      expect(violations.map(({ id, nodes }) => `${colorScheme}, ${id}: ${nodes.map((node) => node.target).join(", ")}`)).toEqual([]);
    }
  };
  await page.getByTestId("backend").click();
  await look();
  await page.getByTestId("compare").click();
  await expect(page.getByRole("row", { name: /^linear .*#0 weight \d/ })).toBeVisible({ timeout: SLOW });
  await look();
  await page.keyboard.press("Escape");
  await page.getByRole("tab", { name: "Program" }).click();
  await page.getByTestId("measure").click();
  await expect(page.getByTestId("phases")).toBeVisible({ timeout: SLOW });
  await look();
});

const without = [
  ["without WebGPU", `Object.defineProperty(navigator, "gpu", { value: undefined });`],
  ["whose adapter is null", `GPU.prototype.requestAdapter = async () => null;`],
  ["whose adapter tells nothing of itself", `Object.defineProperty(GPUAdapter.prototype, "info", { value: undefined });`],
  ["whose adapter gives no device", `GPUAdapter.prototype.requestDevice = async () => { throw new DOMException("No.", "OperationError"); };`],
] as const;
for (const [what, patch] of without) {
  test(`a browser ${what} says so and trains on`, async ({ page }) => {
    await inWorker(page, patch);
    const lab = new Lab(page);
    await lab.open(small);
    await page.evaluate(() => window.downhill!.choose("gpu"));
    const state = await lab.reach((state) => state.backends.gpu.state === "unusable", SLOW);
    expect(state.backend).toBe("cpu");
    expect(state.backends.gpu.why).toMatch(/\w+ \w+.*\.$/);
    await page.getByTestId("backend").click();
    await expect(page.getByRole("dialog", { name: "What trains" })).toContainText(state.backends.gpu.why!);
    await expect(page.getByTestId("compare")).toBeDisabled();
    await goesOn(lab, state);
    expect(lab.errors).toEqual([]);
  });
}

test("code that cannot be fetched when it is needed is asked for again, and the run goes on meanwhile", async ({ page }) => {
  await page.route("**/*_later.wasm", (route) => route.abort());
  const lab = new Lab(page);
  await lab.open(small);
  await page.evaluate(() => window.downhill!.choose("gpu"));
  const state = await lab.reach((state) => state.backends.gpu.state === "unusable", SLOW);
  expect(state.backends.gpu.why).toMatch(/^A part of Downhill could not be loaded: [^.]+\. Look whether .*\.$/);
  await goesOn(lab, state);
  const refused = await page.evaluate(() => window.downhill!.bench("gemm-512", 0.1).then(() => "measured", (error) => String(error)));
  expect(refused).toContain("A part of Downhill could not be loaded");
  await page.unroute("**/*_later.wasm");
  await page.evaluate(() => window.downhill!.choose("gpu"));
  await lab.reach((state) => state.backend === "gpu" && state.stepsPerSecond > 0, SLOW);
});

for (const [what, adapter, fetches] of [["there is none", "async () => null", 0], ["there is one", "GPU.prototype.requestAdapter", 1]] as const) {
  test(`the code for a GPU is fetched ${fetches === 1 ? "once" : "never"} where ${what}`, async ({ page }) => {
    const fetched: string[] = [];
    page.on("request", (request) => request.url().includes("_later.wasm") && fetched.push(request.url()));
    await inWorker(page, `GPU.prototype.requestAdapter = ${adapter};`);
    const lab = new Lab(page);
    await lab.open(small);
    for (let times = 0; times < 2; times++) {
      await page.evaluate(() => window.downhill!.choose("gpu"));
      if (fetches) await lab.reach((state) => state.backend === "gpu" && state.stepsPerSecond > 0, SLOW);
      else await lab.reach((state) => state.backends.gpu.state === "unusable" && state.stepsPerSecond > 0, SLOW);
      await page.evaluate(() => window.downhill!.choose("cpu"));
      await lab.reach((state) => state.backend === "cpu" && state.stepsPerSecond > 0, SLOW);
    }
    expect(fetched).toHaveLength(fetches);
  });
}

test("an exception of the browser while it opens the GPU leaves the run on the CPU", async ({ page }) => {
  await inWorker(page, `Object.defineProperty(GPUAdapter.prototype, "features", { get() { throw new TypeError("No."); } });`);
  const lab = new Lab(page);
  await lab.open(small);
  const state = await lab.reach((state) => state.backends.choice === "cpu" && state.stepsPerSecond > 0, SLOW);
  await goesOn(lab, state);
});

test("a browser that tells late what the GPU has done does not hold it up @alone", async ({ page }) => {
  await inWorker(
    page,
    `self.submits = 0;
    const submit = GPUQueue.prototype.submit;
    GPUQueue.prototype.submit = function (...all) {
      self.submits += 1;
      return submit.apply(this, all);
    };
    for (const [of, name] of [[GPUQueue, "onSubmittedWorkDone"], [GPUBuffer, "mapAsync"]]) {
      const original = of.prototype[name];
      of.prototype[name] = function (...all) {
        return original.apply(this, all).then(() => new Promise((late) => setTimeout(late, 20)));
      };
    }`,
  );
  const lab = await openOnGpu(page);
  await page.getByTestId("pace").press("End");
  const look = async () => ({
    step: (await lab.state()).step,
    submits: await page.workers()[0]!.evaluate(() => (self as unknown as { submits: number }).submits),
  });
  const before = await look();
  await page.waitForFunction((step) => window.downhill!.state().step > step + 500, before.step, { timeout: SLOW });
  const after = await look();
  // Submits of one step each would wait most of the time; those of panels are counted here too.
  expect(after.step - before.step).toBeGreaterThan(2 * (after.submits - before.submits));
});

test("a browser that looks for what has ended only when it is given something is given something", async ({ page }) => {
  // Everything is told with the next submit, or on a tick of 100 ms.
  await inWorker(
    page,
    `self.told = { bySubmit: 0, byTick: 0 };
    const waiting = [];
    const tell = (by) => {
      self.told[by] += waiting.length;
      waiting.splice(0).forEach((told) => told());
    };
    setInterval(() => tell("byTick"), 100);
    const submit = GPUQueue.prototype.submit;
    GPUQueue.prototype.submit = function (...all) {
      tell("bySubmit");
      return submit.apply(this, all);
    };
    const done = GPUQueue.prototype.onSubmittedWorkDone;
    GPUQueue.prototype.onSubmittedWorkDone = async function () {
      await done.call(this);
      await new Promise((told) => waiting.push(told));
    };`,
  );
  const lab = await openOnGpu(page);
  await page.getByTestId("pace").press("End");
  const from = await lab.state();
  await page.waitForFunction((step) => window.downhill!.state().step > step + 300, from.step, { timeout: SLOW });
  const told = await page.workers()[0]!.evaluate(() => (self as unknown as { told: { bySubmit: number; byTick: number } }).told);
  expect(told.bySubmit).toBeGreaterThan(told.byTick);
});

const broken = [
  ["computes wrongly", "the kernel softmax", `code.replace("expf(x) / sum", "expf(x) / (sum + 1.0)")`],
  ["does not take a shader", "shader softmax failed", `code.replace("expf(x) / sum", "expf(x) /// sum")`],
] as const;
for (const [what, kernel, patch] of broken) {
  test(`a device that ${what} is not used, and the page names the kernel`, async ({ page }) => {
    await inWorker(
      page,
      `const original = GPUDevice.prototype.createShaderModule;
      GPUDevice.prototype.createShaderModule = function ({ code, ...rest }) {
        return original.call(this, { ...rest, code: ${patch} });
      };`,
    );
    const lab = new Lab(page);
    await lab.open(small);
    await page.evaluate(() => window.downhill!.choose("gpu"));
    const state = await lab.reach((state) => state.backends.gpu.state === "unusable", SLOW);
    expect(state.backend).toBe("cpu");
    expect(state.backends.gpu.why).toContain(`is not used, because it failed its test: ${kernel}`);
    await page.getByTestId("backend").click();
    await expect(page.getByRole("dialog", { name: "What trains" })).toContainText("it failed its test");
    await goesOn(lab, state);
  });
}

test("a model that is too large for the adapter's limits trains on the CPU, with a sentence", async ({ page }) => {
  await inWorker(
    page,
    `const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "limits");
    const tiny = { maxStorageBufferBindingSize: 1 << 17, maxBufferSize: 1 << 18 };
    Object.defineProperty(GPUAdapter.prototype, "limits", {
      get() {
        return new Proxy(get.call(this), { get: (all, name) => tiny[name] ?? all[name] });
      },
    });`,
  );
  const lab = new Lab(page);
  await lab.open(wide);
  await page.evaluate(() => window.downhill!.choose("gpu"));
  const state = await lab.reach((state) => state.backends.gpu.state === "unusable", SLOW);
  expect(state.backend).toBe("cpu");
  expect(state.backends.gpu.why).toMatch(/lower|smaller/i);
  await goesOn(lab, state);
});
