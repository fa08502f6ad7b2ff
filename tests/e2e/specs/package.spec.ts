// The npm package, installed from its tarball into an example with React (`tests/package`, built before the specs run).
import { expect, test } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const dist = new URL("../../package/dist/", import.meta.url);
const types: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css", wasm: "application/wasm" };

let server: Server;
test.beforeAll(async () => {
  server = createServer(async ({ url }, reply) => {
    const name = new URL(url!, "http://host").pathname.slice(1) || "index.html";
    const bytes = await readFile(new URL(name, dist)).catch(() => undefined);
    reply.writeHead(bytes ? 200 : 404, { "Content-Type": types[name.split(".").at(-1)!] ?? "text/plain" });
    reply.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
test.afterAll(() => server.close());

const lab = process.env.DOWNHILL_URL ?? "http://127.0.0.1:8080/";
for (const [where, query] of [["its own host", ""], ["another origin", `?files=${encodeURIComponent(lab)}`]]) {
  test(`the installed package trains in React with files of ${where}: a slider drives a figure, a sentence follows it, and a run goes without one`, async ({ page }) => {
    const thrown: string[] = [];
    const wasm: string[] = [];
    page.on("request", (request) => request.url().endsWith(".wasm") && wasm.push(request.url()));
    page.on("pageerror", (error) => thrown.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${query}`);
    await expect(page.locator("#accuracy")).toHaveText(/\d %/, { timeout: 30_000 });
    await page.locator("input[type=range]").first().fill("0.07");
    await expect(page.locator("#rate")).toHaveText("0.07");
    await expect(page.locator("#said")).toHaveText(/step/, { timeout: 30_000 });
    const { before, after, lr, step, refused } = JSON.parse((await page.locator("#said").textContent())!);
    expect(before).toHaveLength(2);
    expect(after[0] + after[1]).toBeCloseTo(1);
    // The middle lies within the inner circle.
    expect(Math.max(...after)).toBeGreaterThan(Math.max(...before));
    expect([lr, step]).toEqual([0.03, 200]);
    expect(refused).toContain("optimizer.adam.lr");
    expect(wasm.every((url) => url.startsWith(lab))).toBe(query !== "");
    expect(thrown).toEqual([]);
  });
}
