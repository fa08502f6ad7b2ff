// The first seconds: which build is loaded, from which hosts, and what is said when that fails.
import { expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

for (const name of ["site", "site-relaxed"]) {
  test(`the worker of the ${name} build says that it is ready`, async ({ page }) => {
    await page.goto("./");
    const ready = await page.evaluate(
      (build) =>
        new Promise((resolve, reject) => {
          const at = (name: string) => new URL(name, window.downhillWorker!.bindings).href;
          const worker = new Worker(at("worker.js"), { type: "module", name: at(`${build}.js`) });
          worker.onmessage = () => resolve(true);
          worker.onerror = (event) => reject(new Error(event.message));
          WebAssembly.compileStreaming(fetch(at(`${build}_bg.wasm`))).then((module) => worker.postMessage(module), reject);
        }),
      name,
    );
    expect(ready).toBe(true);
  });
}

test("a browser with relaxed SIMD gets the build that uses it, and nothing of the other", async ({ page }) => {
  const names: string[] = [];
  page.on("request", (request) => names.push(new URL(request.url()).pathname.split("/").pop()!));
  await new Lab(page).open();
  expect(await page.evaluate(() => window.downhillWorker?.bindings)).toMatch(/\/[0-9a-f]{16}\/site-relaxed\.js$/);
  expect(names.filter((name) => name.endsWith(".wasm"))).toEqual(["site-relaxed_bg.wasm"]);
});

test("the page starts from a host that does not know what wasm is", async ({ page }) => {
  await page.route("**/*.wasm", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "content-type": "application/octet-stream" } });
  });
  await new Lab(page).open();
});

test("a page whose wasm cannot be loaded says so", async ({ page }) => {
  await page.route("**/*.wasm", (route) => route.fulfill({ status: 404, body: "not found" }));
  await page.goto("./");
  await expect(page.locator("#poster-text")).toContainText("cannot be loaded (404)");
});

test("the page opens without an error and without the crash overlay", async ({ page }) => {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto("./", { waitUntil: "networkidle" });
  await expect(page.locator("#crash")).toBeHidden();
  expect(errors).toEqual([]);
});

test("a crash of the page is told in words", async ({ page }) => {
  await page.goto("./");
  await page.evaluate(() => window.downhillCrash("a test"));
  await expect(page.getByRole("alertdialog")).toContainText("Downhill has stopped");
});

test("the theme follows the system unless a choice is stored", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto("./");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.evaluate(() => localStorage.setItem("downhill.theme", "light"));
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
});

test("points of the plane are learned by what the first visit fetches", async ({ page }) => {
  await page.route("**/*_later.wasm", (route) => route.abort());
  const lab = new Lab(page);
  for (const id of ["spirals", "circles", "xor", "gaussians", "moons", "checkerboard", "sine", "steps", "overfitting", "regularised", "symmetry"]) {
    await page.goto(`./#p=${id}`);
    await page.reload();
    await lab.reach((state) => state.step > 60, 30_000);
  }
  const concat = [[{ linear: { out: 4 } }, "sin"], [{ repeat: { times: 2, body: [{ residual: [{ linear: { out: 6 } }, "gelu"] }] } }]];
  const model = [{ linear: { out: 6 } }, "batch_norm", "tanh", { name: "a" }, { dropout: { p: 0.1 } }, { concat }, "flatten", { cat: { from: "a" } }, { linear: { out: "classes" } }];
  await lab.open(link({ version: 1, data: { rings: { endless: true } }, model, view: { pace: "max" } }));
  await lab.reach((state) => state.step > 60 && state.metrics.validation_accuracy !== undefined, 30_000);
  // A curve asks for its picture, and goes without.
  expect(lab.errors.filter((error) => !error.includes("net::ERR_FAILED"))).toEqual([]);
});
