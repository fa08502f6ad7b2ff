// What a training worker begins with: the page names the bindings and sends the wasm that it has compiled for itself already.
// The name and not a message: so the bindings load while the wasm is still on its way.
const bindings = import(self.name);
// What fails on the way is thrown outside of its promise, where the page hears of it.
self.onunhandledrejection = ({ reason }) => setTimeout(() => { throw reason; });
self.onmessage = async ({ data }) => {
  self.onmessage = null;
  const { default: start, later } = await bindings;
  const first = start({ module_or_path: data });
  self.downhillLater = later && (() => first.then(later));
  await first;
  self.onunhandledrejection = null;
};
