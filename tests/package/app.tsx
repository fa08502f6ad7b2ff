// An example of the npm package in React: an element that a slider drives and a sentence follows, and a run without an element.
import { createRun, locate, type DownhillLab, type ExperimentDocument, type Readings } from "downhill";
import { useEffect, useRef, useState, type DetailedHTMLProps, type HTMLAttributes } from "react";
import { createRoot } from "react-dom/client";

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "downhill-lab": DetailedHTMLProps<HTMLAttributes<DownhillLab>, DownhillLab> & { src?: string; experiment?: string; show?: string; steps?: number };
    }
  }
}

// This bundle lies in another folder than the files of the package, which may be of another host too.
locate(new URLSearchParams(location.search).get("files") ?? "./downhill");

const experiment: ExperimentDocument = {
  seed: 3,
  data: { circles: { noise: 0.1 } },
  model: [{ linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }],
  optimizer: { adam: { lr: 0.03 } },
};

/** A figure with a slider for its rate, and the share of unseen points that it is right about. */
function Figure() {
  const lab = useRef<DownhillLab>(null);
  const [rate, setRate] = useState(0.03);
  const [readings, setReadings] = useState<Readings>();
  useEffect(() => lab.current?.on("metrics", setReadings), []);
  useEffect(() => {
    lab.current?.set("lr", rate).catch(() => {});
  }, [rate]);
  const accuracy = readings?.metrics.validation_accuracy;
  return (
    <figure>
      <downhill-lab ref={lab} experiment={JSON.stringify(experiment)} show="output transport step loss" steps={300} />
      <figcaption>
        <label>
          Rate <input type="range" min={0.01} max={0.1} step={0.01} value={rate} onChange={(event) => setRate(event.target.valueAsNumber)} />
        </label>{" "}
        At a rate of <output id="rate">{readings?.lr}</output> it is right about <output id="accuracy">{accuracy === undefined ? "–" : `${(100 * accuracy).toFixed(0)} %`}</output>.
      </figcaption>
    </figure>
  );
}

/** What a run without an element says of the middle of the plane, before and after some steps. */
function Prediction() {
  const [said, setSaid] = useState<string>();
  useEffect(() => {
    const ended = new AbortController();
    const look = async () => {
      const run = await createRun(experiment, { backend: "cpu", signal: ended.signal });
      const before = await run.predict([0, 0]);
      await run.step(200);
      const after = await run.predict([0, 0]);
      const { lr, step } = run.state();
      const refused = await Promise.resolve().then(() => run.set("lr", -1)).catch((error: Error) => error.message);
      setSaid(JSON.stringify({ before: [...before], after: [...after], lr, step, refused }));
      run.dispose();
    };
    look().catch((error: Error) => ended.signal.aborted || setSaid(error.message));
    return () => ended.abort();
  }, []);
  return <pre id="said">{said}</pre>;
}

createRoot(document.getElementById("app")!).render(
  <>
    <Figure />
    <Prediction />
  </>,
);
