// What a training worker begins with: the page names the bindings and sends the wasm that it has compiled for itself already.
// The name and not a message: so the bindings load while the wasm is still on its way.
const bindings = import(self.name);
self.onmessage = async ({ data }) => {
  self.onmessage = null;
  const { default: start, later } = await bindings;
  const first = start({ module_or_path: data });
  // A release build is cut in two parts: the second one is fetched when the first asks for it.
  let part;
  const fetchLater = async () => {
    const response = await fetch(later);
    if (!response.ok) throw new Error(`${later} cannot be loaded (${response.status}).`);
    await WebAssembly.instantiate(await response.arrayBuffer(), { first: await first });
  };
  if (later) self.downhillLater = () => (part ??= fetchLater().catch((error) => { part = undefined; throw error; }));
  await first;
};
