// Hears the errors of pages in a browser that tells nobody: WebKit's driver has no log. Pages come through a server of our own, which
// lets documents and workers begin with a script that reports.
import { createServer } from "node:http";

const REPORT = "/reported-error";
const EAR = `{
  const tell = (what) => void fetch("${REPORT}", { method: "POST", body: String(what), keepalive: true });
  const { error } = console;
  console.error = (...all) => (tell(all.join(" ")), error.apply(console, all));
  addEventListener("error", (event) => tell(event.message ?? event.target?.outerHTML), true);
  addEventListener("unhandledrejection", (event) => tell(event.reason));
}`;
/** What the server says of the way the bytes came, not of the bytes. */
const OF_THE_WAY = ["connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"];

/** The bytes of a file, with the ear where it is a document or the script of a worker. */
function withEar(path, kind, bytes) {
  if (kind.startsWith("text/html")) return String(bytes).replace(/<head>|(?=<script)|$/i, (found) => `${found}<script>${EAR}</script>`);
  return /worker\.js$/.test(path) ? `${EAR}\n${bytes}` : bytes;
}

/** Starts the server; `through(url)` is the address there of what `url` names, and `report` is given each error. */
export async function listenIn(report) {
  let origin;
  const server = createServer(async (request, response) => {
    try {
      if (request.url === REPORT) {
        report(String(Buffer.concat(await request.toArray())));
        return response.writeHead(204).end();
      }
      const answer = await fetch(`${origin}${request.url}`, { headers: { "accept-encoding": "identity" } });
      const headers = [...answer.headers].filter(([name]) => !OF_THE_WAY.includes(name));
      const bytes = withEar(new URL(answer.url).pathname, answer.headers.get("content-type") ?? "", Buffer.from(await answer.arrayBuffer()));
      response.writeHead(answer.status, Object.fromEntries(headers)).end(bytes);
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    through(url) {
      if (!url.startsWith("http")) return url;
      const { origin: asked, href } = new URL(url);
      origin = asked;
      return href.replace(asked, `http://127.0.0.1:${server.address().port}`);
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
