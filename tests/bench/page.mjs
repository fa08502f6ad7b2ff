// What a person feels: first motion, how soon the first example is learned, frames and long tasks while training runs flat out, bytes
// of the first visit.
import { existsSync, statSync } from "node:fs";
import { fileOf, launch } from "./host.mjs";

const FLAT_OUT_MS = 8000;

/** Bytes of everything one visit asks `server` for, the worker's files too, compressed as a host would send it. */
async function transferKB(browser, server, url) {
  const paths = new Set();
  const note = (request) => paths.add(new URL(request.url, url).pathname);
  server.on("request", note);
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction(() => window.downhill?.state().step > 0);
  await page.close();
  server.off("request", note);
  const files = [...paths].map(fileOf).filter((file) => file && existsSync(file));
  return Math.round(files.reduce((sum, file) => sum + (existsSync(`${file}.br`) ? statSync(`${file}.br`) : statSync(file)).size, 0) / 1024);
}

/** Milliseconds from navigation to the first changed picture of the decision boundary. */
async function firstMotionMs(page, url) {
  await page.goto(url);
  return page.evaluate(async () => {
    const picture = () => {
      const canvas = document.querySelector("[data-testid=boundary] canvas, canvas[data-testid=boundary]");
      return canvas?.width ? canvas.toDataURL() : null;
    };
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    let first = null;
    while (performance.now() < 20_000) {
      const now = picture();
      first ??= now;
      if (first && now !== first) return Math.round(performance.now());
      await frame();
    }
    throw new Error("the boundary never moved");
  });
}

/** Milliseconds from navigation to a validation accuracy of 0.97 on the example that the page opens with. */
async function learnedMs(page, url) {
  await page.goto(url);
  await page.waitForFunction(() => (window.downhill?.state().metrics.validation_accuracy ?? 0) >= 0.97, null, { timeout: 120_000, polling: 50 });
  return page.evaluate(() => Math.round(performance.now()));
}

/** Frames and long tasks of the page's thread over `ms`. */
function watchFrames(page, ms) {
  return page.evaluate(async (duration) => {
    const tasks = [];
    const observer = new PerformanceObserver((list) => list.getEntries().forEach((entry) => tasks.push(entry.duration)));
    observer.observe({ type: "longtask" });
    const gaps = [];
    const begin = performance.now();
    let last = begin;
    const from = window.downhill.state().step;
    while (last - begin < duration) {
      const now = await new Promise((resolve) => requestAnimationFrame(resolve));
      gaps.push(now - last);
      last = now;
    }
    observer.disconnect();
    if (window.downhill.state().step === from) throw new Error("the run rested while it was measured");
    gaps.sort((a, b) => a - b);
    return {
      medianFps: Math.round(1000 / gaps[gaps.length >> 1]),
      // The browser reports tasks from 50 ms on; none reported means less than that.
      longestTaskMs: tasks.length ? Math.round(Math.max(...tasks)) : "< 50",
      stepsPerSec: ((window.downhill.state().step - from) * 1000) / (last - begin),
    };
  }, ms);
}

export async function measurePage(server, url) {
  const browser = await launch();
  try {
    const bytes = await transferKB(browser, server, url);
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(url);
    await page.waitForFunction(() => window.downhill?.state().step > 0);
    const motion = await firstMotionMs(page, url);
    await page.goto("about:blank");
    const learned = await learnedMs(page, url);
    await page.evaluate(() => {
      const { experiment } = window.downhill.state();
      // Flat out, the example's steps are done within a second; without an end the run goes on.
      const endless = { ...experiment, training: { ...experiment.training, steps: null }, view: { ...experiment.view, pace: "max" } };
      window.downhill.load(JSON.stringify(endless));
    });
    await page.waitForTimeout(1000);
    return { transferKB: bytes, firstMotionMs: motion, learnedMs: learned, ...(await watchFrames(page, FLAT_OUT_MS)) };
  } finally {
    await browser.close();
  }
}
