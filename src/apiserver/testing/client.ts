import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { createInterface } from "node:readline";
import type { KeyPair } from "./authority.ts";
import type { Rig } from "./rig.ts";

export interface Answer {
  readonly code: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any;
}

/** A server, wherever it runs. */
export type Target = Pick<Rig, "url" | "ca" | "admin">;

export interface Ask {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly as?: KeyPair | { readonly token: string } | "nobody";
}

/** One request, raw: what the wire shows and no client library hides. */
export async function ask(rig: Target, method: string, path: string, options: Ask = {}): Promise<Answer> {
  const response = await send(rig, method, path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString("utf8");
  const isJson = /json/.test(String(response.headers["content-type"])) && text !== "";
  return {
    code: response.statusCode ?? 0,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
export type Line = any;

/** A watch: each event as it comes; closes its connection when disposed. */
export interface Watching extends Disposable {
  readonly response: IncomingMessage;
  /** The next event, or undefined at the end of the stream. */
  next(): Promise<Line | undefined>;
}

export async function watchPath(rig: Target, path: string, options: Ask = {}): Promise<Watching> {
  const response = await send(rig, "GET", path, options);
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return {
    response,
    next: async () => {
      const { value, done } = await lines.next();
      return done ? undefined : JSON.parse(value);
    },
    [Symbol.dispose]: () => {
      response.destroy();
    },
  };
}

async function send(
  rig: Target,
  method: string,
  path: string,
  { body, headers, as }: Ask,
): Promise<IncomingMessage> {
  const who = as ?? rig.admin;
  const payload =
    body === undefined || typeof body === "string" || body instanceof Uint8Array
      ? body
      : JSON.stringify(body);
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      rig.url + path,
      {
        method,
        ca: rig.ca,
        agent: false,
        ...(typeof who === "object" && "cert" in who ? { cert: who.cert, key: who.key } : {}),
        headers: {
          "user-agent": "test/1",
          // Node frames no body of a DELETE by itself.
          ...(payload === undefined ? {} : { "content-length": Buffer.byteLength(payload) }),
          ...(typeof who === "object" && "token" in who ? { authorization: `Bearer ${who.token}` } : {}),
          ...headers,
        },
      },
      resolve,
    );
    outgoing.once("error", reject);
    outgoing.end(payload);
  });
}

export const MERGE = { "content-type": "application/merge-patch+json" };

/** Creates an object of only a name and `metadata`; fails the test when it is refused. */
export async function create(rig: Target, path: string, name: string, metadata: object = {}): Promise<Line> {
  const { code, body, text } = await ask(rig, "POST", path, { body: { metadata: { name, ...metadata } } });
  if (code !== 201) throw new Error(text);
  return body;
}

/** Merges labels into an object. */
export async function label(rig: Target, path: string, name: string, labels: object): Promise<Line> {
  const patch = { headers: MERGE, body: { metadata: { labels } } };
  const { code, body, text } = await ask(rig, "PATCH", `${path}/${name}`, patch);
  if (code !== 200) throw new Error(text);
  return body;
}

/** Makes a namespace with the service account that its pods run under. */
export async function createNamespace(rig: Target, name: string): Promise<void> {
  await create(rig, "/api/v1/namespaces", name);
  await create(rig, `/api/v1/namespaces/${name}/serviceaccounts`, "default");
}
