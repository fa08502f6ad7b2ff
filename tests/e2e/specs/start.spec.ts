import { expect, test } from "@playwright/test";
import "../lab";

for (const name of ["worker", "worker-relaxed"]) {
  test(`the ${name} build says that it is ready`, async ({ page }) => {
    await page.goto("./");
    const ready = await page.evaluate(
      (loader) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(loader, { type: "module" });
          worker.onmessage = () => resolve(true);
          worker.onerror = (event) => reject(new Error(event.message));
        }),
      `./${name}_loader.js`,
    );
    expect(ready).toBe(true);
  });
}

test("a browser with relaxed SIMD gets the worker that uses it", async ({ page }) => {
  await page.goto("./");
  const url = await page.evaluate(() => window.downhillWorker?.url);
  expect(url).toBe("./worker-relaxed_loader.js");
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
