// What a training worker begins with: the page names the bindings and sends the wasm. The first worker of a page is sent its address instead, and
// compiles it for both: what V8 does while it arrives would hold the page up.
// The name and not a message: so the bindings load while the wasm is still on its way.
const bindings = import(self.name);
// What fails on the way is thrown outside of its promise, where the page hears of it.
self.onunhandledrejection = ({ reason }) => setTimeout(() => { throw reason; });
const compiled = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} cannot be loaded (${response.status}).`);
  // Not every host knows what wasm is, and only what is named rightly may be compiled while it arrives.
  const streams = response.headers.get("Content-Type")?.startsWith("application/wasm");
  return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
};
self.onmessage = async ({ data }) => {
  self.onmessage = null;
  const module = typeof data === "string" ? await compiled(data) : data;
  if (module !== data) self.postMessage(module);
  const { default: start, later } = await bindings;
  const first = start({ module_or_path: module });
  self.downhillLater = later && (() => first.then(later));
  await first;
  self.onunhandledrejection = null;
};
