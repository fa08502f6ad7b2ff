// The service worker of the Lab. It keeps the files of one release together and answers with those alone, so that a run that is open goes on
// with the code that it began with while a newer release is put on the host. FILES and RELEASE are told by the build (`web/offline.mjs`).
//
// A newer release is fetched beside the old one and takes over when the page is opened or reloaded and no other page is open.

const PREFIX = `downhill ${self.registration.scope} `;
const OWN = PREFIX + RELEASE;
/** The page and the program that this browser runs, `site` or `site-relaxed`; the other one is never asked for. */
const program = location.search.slice(1);
const files = FILES.filter((name) => {
  const [, of] = name.match(/(?:^|\/)(site(?:-relaxed)?)[._]/) ?? [];
  return !of || of === program;
});
const known = new Map(files.map((name) => [new URL(name, self.registration.scope).href, name]));
const page = new URL("index.html", self.registration.scope).href;

/** The file that an address stands for, if it is one of the release. A folder is answered with its page. */
function fileOf(url) {
  url.hash = url.search = "";
  if (url.href === self.registration.scope) return page;
  return known.has(url.href) ? url.href : undefined;
}

self.addEventListener("install", (event) => {
  // What the host says is asked for anew: a copy of the browser's may be of the release before.
  const all = [...known.keys()].map((url) => new Request(url, { cache: "no-cache" }));
  event.waitUntil(caches.open(OWN).then((cache) => cache.addAll(all)));
});

self.addEventListener("activate", (event) => {
  const drop = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== OWN);
    await Promise.all(old.map((name) => caches.delete(name)));
  };
  event.waitUntil(drop());
});

self.addEventListener("message", ({ data }) => data === "take over" && self.skipWaiting());

async function answer(request, file) {
  const kept = await (await caches.open(OWN)).match(file);
  return kept ?? fetch(request);
}

/** Opens the page. Where a newer release waits and nothing else is open, it takes over first, and the page is asked for once more. */
async function opened(request) {
  const { waiting } = self.registration;
  const others = await self.clients.matchAll({ type: "window" });
  if (waiting && others.length <= 1) {
    waiting.postMessage("take over");
    // It cannot while it is waited for; a refresh by header would only scroll to what stands behind the `#`.
    return new Response("<script>setTimeout(() => location.reload(), 50)</script>", { headers: { "Content-Type": "text/html" } });
  }
  return answer(request, page);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const file = fileOf(new URL(request.url));
  if (file === page) event.respondWith(opened(request));
  else if (file) event.respondWith(answer(request, file));
});
