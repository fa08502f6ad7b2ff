// Pages that hold widgets, from a server of their own: their origin is another than that of the script, as in somebody else's article.
import { test, type Page } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** The folder that the script lies in. */
export const script = process.env.DOWNHILL_URL ?? "http://127.0.0.1:8080/";
const examples = new URL("../../static/examples/", import.meta.url);

/** What a page names the script by. */
export const tag = `<script type="module" src="../embed.js"></script>`;

interface Served {
  body: string;
  type?: string;
  csp?: string;
}

/** The server of a spec. */
export interface OtherOrigin {
  /** What it answers with, by name; examples are read from their folder. */
  pages: Map<string, Served>;
  /** Its address, once the tests run. */
  origin(): string;
  /** Opens a page, made of `body` where one is given, and gives what it throws. */
  open(page: Page, name: string, body?: string, csp?: string): Promise<string[]>;
}

/** Serves pages while the tests of a file run. */
export function otherOrigin(): OtherOrigin {
  const pages = new Map<string, Served>();
  let server: Server;
  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  test.beforeAll(async () => {
    server = createServer(async ({ url }, reply) => {
      const name = (url ?? "").slice(1).split("?")[0]!;
      const example = async (): Promise<Served | undefined> => {
        const body = name.endsWith(".html") && (await readFile(new URL(name, examples), "utf8").catch(() => ""));
        return body ? { body } : undefined;
      };
      const page = pages.get(name) ?? (await example());
      reply.writeHead(page ? 200 : 404, { "Content-Type": page?.type ?? "text/html", ...(page?.csp && { "Content-Security-Policy": page.csp }) });
      // An example lies beside the script; a page of somebody else's names its host.
      reply.end(page?.body.replaceAll('"../', `"${script}`).replaceAll("`../", `\`${script}`));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  test.afterAll(() => void server.close());
  const open = async (page: Page, name: string, body?: string, csp?: string): Promise<string[]> => {
    const thrown: string[] = [];
    page.on("pageerror", (error) => thrown.push(error.message));
    if (body !== undefined) pages.set(name, { body: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Host</title>${body}</html>`, ...(csp && { csp }) });
    await page.goto(origin() + name);
    return thrown;
  };
  return { pages, origin, open };
}
