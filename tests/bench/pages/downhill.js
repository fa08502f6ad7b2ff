// Downhill itself: the release build's own worker and the Session's own loop; ?build=plain or relaxed, ?backend=cpu or gpu.
//
// The worker is told the name of its bindings and sent the compiled wasm, as the page does it. After it has said that it is ready the worker
// answers { bench: { workload, seconds, backend } } with one message { bench: { workload, backend, stepsPerSec, lossFirst, lossLast, notes } }
// or { bench: { workload, error } }.
const build = { plain: "site", relaxed: "site-relaxed" }[window.options.get("build")];
const worker = new Worker("/package/worker.js", { type: "module", name: `./${build}.js` });
worker.postMessage(await WebAssembly.compileStreaming(fetch(`/package/${build}_bg.wasm`)));

/** The next message that `pick` takes (returns something for), or the worker's error. */
function next(pick) {
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message || "the worker could not start"));
    worker.onmessage = ({ data }) => {
      const picked = pick(data);
      if (picked) resolve(picked);
    };
  });
}

// Whatever comes first is its Ready: before that nothing is heard.
await next(() => true);

const backend = window.options.get("backend") ?? "cpu";
window.bench = async (workload, seconds) => {
  const answered = next((data) => data?.bench);
  worker.postMessage({ bench: { workload, seconds, backend } });
  const answer = await answered;
  if (answer.error || (answer.backend ?? "cpu") === backend) return answer;
  throw new Error(`asked for ${backend}, measured on ${answer.backend ?? "cpu"}`);
};
window.ready = true;
