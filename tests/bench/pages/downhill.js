// Downhill itself: the release build's own worker and the Session's own loop; ?build=plain or relaxed.
//
// After it has said that it is ready the worker answers { bench: { workload, seconds } } with one message
// { bench: { workload, stepsPerSec, lossFirst, lossLast, notes } } or { bench: { workload, error } }.
const loader = { plain: "/app/worker_loader.js", relaxed: "/app/worker-relaxed_loader.js" }[window.options.get("build")];
const worker = new Worker(loader, { type: "module" });

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

window.bench = async (workload, seconds) => {
  const answer = next((data) => data?.bench);
  worker.postMessage({ bench: { workload, seconds } });
  return answer;
};
window.ready = true;
