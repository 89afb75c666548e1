/** The joining side's talk with a server before it has certificates: find its CA, prove the token, ask. */
import { Pool } from "undici";
import { explain, Fault } from "#fault/fault";
import { authorization, checkCa, type Token } from "./token.ts";

export interface ServerLink extends AsyncDisposable {
  readonly url: string;
  /** The cluster's server CA, checked against the token's hash. */
  readonly serverCaPem: string;
  ask(
    method: "GET" | "POST",
    path: string,
    options?: { headers?: Record<string, string>; body?: Uint8Array },
  ): Promise<string>;
}

/** Kubernetes clients and K3s give up on a silent server after this long. */
const TIMEOUT_MS = 10_000;

/** @throws {Fault} Unreachable (try again), WrongCa, BadServer */
export async function openServerLink(url: string, token: Token, signal: AbortSignal): Promise<ServerLink> {
  const base = serverBase(url);
  const serverCaPem = await fetchCa(base, signal);
  checkCa(token, serverCaPem);
  const server = new Pool(base, { connect: { ca: serverCaPem, timeout: TIMEOUT_MS } });
  const auth = authorization(token, "node");
  return {
    url: base,
    serverCaPem,
    ask: async (method, path, options = {}) => {
      const headers = { authorization: auth, ...options.headers };
      const reply = await exchange(server, { base, path, method, signal, headers, body: options.body });
      if (reply.status === 200) return reply.body;
      throw refusal(base, path, reply);
    },
    [Symbol.asyncDispose]: () => server.destroy(),
  };
}

/** Before the CA is known its own word for it is all there is; the token's hash is what makes it trustworthy. */
async function fetchCa(base: string, signal: AbortSignal): Promise<string> {
  const server = new Pool(base, { connect: { rejectUnauthorized: false, timeout: TIMEOUT_MS } });
  try {
    const reply = await exchange(server, { base, path: "/cacerts", method: "GET", signal, headers: {} });
    if (reply.status !== 200 || !reply.body.includes("BEGIN CERTIFICATE"))
      throw refusal(base, "/cacerts", reply);
    return reply.body;
  } finally {
    await server.destroy();
  }
}

interface Exchange {
  readonly base: string;
  readonly path: string;
  readonly method: "GET" | "POST";
  readonly signal: AbortSignal;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array | undefined;
}

async function exchange(
  server: Pool,
  { base, path, method, signal, headers, body }: Exchange,
): Promise<{ status: number; body: string }> {
  const timeouts = { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS };
  try {
    const reply = await server.request({ path, method, headers, body: body ?? null, signal, ...timeouts });
    return { status: reply.statusCode, body: await reply.body.text() };
  } catch (cause) {
    signal.throwIfAborted();
    throw new Fault("Unreachable", `Cannot reach the server at ${base}: ${explain(cause)}`, {
      cause,
    });
  }
}

function refusal(base: string, path: string, reply: { status: number; body: string }): Fault {
  const why = statusMessage(reply.body) ?? `it answered ${reply.status}`;
  if (reply.status === 401 || reply.status === 403)
    return new Fault("Refused", `The server at ${base} refused this node: ${why}`);
  if (reply.status >= 500 || reply.status === 429)
    return new Fault("Unreachable", `The server at ${base} is not ready: ${why}`);
  return new Fault("BadServer", `Cannot ask ${base}${path}: ${why}`);
}

function statusMessage(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null && "message" in parsed
      ? String(parsed.message)
      : undefined;
  } catch {
    return undefined;
  }
}

function serverBase(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "https:") {
    throw new Fault(
      "BadServer",
      `Cannot use --server ${JSON.stringify(url)}: expected an address such as https://192.0.2.1:6443`,
    );
  }
  return parsed.origin;
}
