// Firefox and Chromium behind the face that `engines/index.mjs` describes, driven over WebDriver BiDi.
import puppeteer from "puppeteer-core";

const FIREFOX = {
  browser: "firefox",
  executablePath: process.env.DOWNHILL_FIREFOX ?? "/usr/bin/firefox-esr",
  // WebGPU in workers is off by default on Linux, and software adapters are on its blocklist.
  extraPrefsFirefox: {
    "dom.webgpu.enabled": true,
    "dom.webgpu.workers.enabled": true,
    "gfx.webgpu.ignore-blocklist": true,
    "gfx.webgpu.force-enabled": true,
  },
};

const CHROMIUM = {
  browser: "chrome",
  executablePath: process.env.DOWNHILL_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"],
};

async function open(options) {
  const browser = await puppeteer.launch({ headless: true, defaultViewport: { width: 1440, height: 900 }, ...options });
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  return {
    errors,
    goto: (url) => page.goto(url),
    evaluate: (script, ...args) => page.evaluate(script, ...args),
    click: (selector) => page.locator(selector).click(),
    async drag([from, ...to]) {
      await page.mouse.move(...from);
      await page.mouse.down();
      for (const point of to) await page.mouse.move(...point, { steps: 12 });
      await page.mouse.up();
    },
    screenshot: (path) => page.screenshot({ path }),
    close: () => browser.close(),
  };
}

export const openFirefox = () => open(FIREFOX);
export const openChromium = () => open(CHROMIUM);
