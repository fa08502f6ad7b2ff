// How Playwright runs the specs: one browser, one worker, the server that `cargo xtask test e2e` has started.
import { defineConfig } from "@playwright/test";

// `cargo xtask test e2e` sets both; the defaults fit a page served by hand with `cargo xtask serve`.
const url = process.env.DOWNHILL_URL ?? "http://127.0.0.1:8080/";
const chromium = process.env.DOWNHILL_CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "specs",
  outputDir: "results/artifacts",
  // Two at a time, whatever their file: most of the time a spec waits for its page. What measures how long the page is held up is
  // marked `@alone` and runs after the others.
  workers: 2,
  fullyParallel: true,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  reporter: [["list"], ["json", { outputFile: "results/report.json" }]],
  use: {
    baseURL: url,
    viewport: { width: 1440, height: 900 },
    // What a spec says of the network is the page's own doing; `offline.spec.ts` allows it.
    serviceWorkers: "block",
    screenshot: "only-on-failure",
    // Taking one of every test makes all of them a sixth slower; `--trace on` takes one by hand.
    trace: "off",
    launchOptions: {
      executablePath: chromium,
      args: [
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // A camera that sees a clock and a microphone that hears beeps, for specs that are granted them.
        "--use-fake-device-for-media-stream",
      ],
    },
  },
});
