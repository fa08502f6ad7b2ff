// A static server for the pages and the browser that opens them.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".css": "text/css", ".json": "application/json" };
const PAGE = `<!doctype html><meta charset="utf-8"><title>bench</title><script type="module">
window.options = new URLSearchParams(location.search);
try { await import("/" + window.options.get("page") + ".js"); } catch (error) { window.failed = String(error?.stack ?? error); }
</script>`;

/** The file behind an address; null if it would leave the folders. */
export function fileOf(path) {
  if (path.includes("..")) return null;
  if (path.startsWith("/package/")) return join(here, "../../web/dist/package", path.slice(9));
  return path.startsWith("/app/") ? join(here, "../../dist", path.slice(5)) : join(here, "dist", path);
}

/** `/page.html?page=…` opens a page of the benchmark, `/app/` is the release build, `/package/` its files in one folder. */
export function serve() {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    if (path === "/page.html") return response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    const file = fileOf(path);
    if (!file || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "cache-control": "no-store", "access-control-allow-origin": "*" });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const QUIET = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const launch = (flags = []) => chromium.launch({ executablePath: process.env.DOWNHILL_CHROMIUM ?? "/usr/bin/chromium", args: [...QUIET, ...flags] });
