// `embed.html`: a widget in a frame, for sites that allow nothing else. What it shows stands behind the `#`: `c` or `p` as in any link, and the
// attributes of <downhill-lab>. Speaks with the page around it by messages, and obeys that page alone: the one that `origin` names, or else the
// one that the browser says the frame was opened from.
import type { DownhillLab } from "./embed";

const ATTRIBUTES = ["show", "hide", "lock", "autostart", "steps", "pace", "theme", "lang", "height", "poster"];
const EVENTS = ["ready", "metrics", "done", "error"] as const;
const COMMANDS = ["start", "pause", "step", "reset", "set", "get", "state", "link", "predict", "probe", "generate", "snapshot", "restore"] as const;

/** A message of either side. */
interface Message {
  downhill: 1;
  type: "height" | "answer" | "command" | (typeof EVENTS)[number];
  id?: number;
  command?: (typeof COMMANDS)[number];
  args?: unknown[];
  height?: number;
  value?: unknown;
  error?: string;
  detail?: unknown;
}

const asked = new URLSearchParams(location.hash.slice(1));
const lab = document.createElement("downhill-lab") as DownhillLab;
for (const name of ATTRIBUTES) if (asked.has(name)) lab.setAttribute(name, asked.get(name)!);
const link = asked.get("c") ? `c=${asked.get("c")}` : (asked.get("p") ?? asked.get("src"));
if (link) lab.setAttribute("src", link);

const opener = document.referrer ? new URL(document.referrer).origin : null;
const NOWHERE = "null";

/** The origin of an address; that of a page in a sandbox is no address. */
function originOf(address: string | null): string | null {
  return address === NOWHERE || !address ? address : URL.canParse(address) ? new URL(address).origin : null;
}

const origin = originOf(asked.get("origin")) ?? opener;
const tell = (message: Omit<Message, "downhill">): void => {
  // What is told is what the frame shows, so where nobody says who is around it, it may be anybody.
  if (parent !== window) parent.postMessage({ downhill: 1, ...message }, origin === NOWHERE ? "*" : (origin ?? "*"));
};
for (const name of EVENTS) lab.addEventListener(name, (event) => tell({ type: name, detail: (event as CustomEvent).detail }));
new ResizeObserver(() => tell({ type: "height", height: Math.ceil(lab.getBoundingClientRect().height) })).observe(lab);

addEventListener("message", ({ data, source, origin: from }: MessageEvent<Message>) => {
  if (source !== parent || data?.downhill !== 1 || data.type !== "command") return;
  const { id, command, args = [] } = data;
  const answer = (rest: Pick<Message, "value" | "error">): void => tell({ type: "answer", ...(id !== undefined && { id }), ...rest });
  if (origin === null || from !== origin) return answer({ error: "This frame takes commands only from the page that `origin` in its address names." });
  if (!command || !COMMANDS.includes(command)) return answer({ error: `There is no command "${String(command)}": there are ${COMMANDS.join(", ")}.` });
  (lab[command] as (...args: unknown[]) => Promise<unknown>)(...args).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }),
  );
});

// A page that changes what stands behind the `#` wants another widget.
addEventListener("hashchange", () => location.reload());
document.body.append(lab);
import("./embed.js");
