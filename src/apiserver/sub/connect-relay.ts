import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { explain } from "#fault/fault";
import type { Node } from "#kube/generated/types";
import { askUpgrade, type UpgradeAnswer } from "#kube/stream/ask-upgrade";
import { join } from "#kube/stream/join";
import { headOf } from "../proxy/answer-head.ts";
import { forwardedFor, passedOn } from "../proxy/passed-on.ts";
import { takeUpgrade, type Upgrade } from "../request/upgrade.ts";
import { unknownFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { addressOf } from "./kubelet.ts";

const KEEP_ALIVE_MS = 30_000;
/** Of a client that waits for an answer nobody hears that it has left. */
const ANSWER_WITHIN_MS = 60_000;

export interface KubeletConnection {
  /** The client's, not answered yet. */
  readonly upgrade: Upgrade;
  readonly node: Node;
  /** At the kubelet, with its query. */
  readonly path: string;
}

/** Passes the client's upgrade on as it is, and back what the kubelet says. @throws {StatusFault} Unknown when the kubelet is not there */
export async function relayUpgrade(call: Call, connection: KubeletConnection): Promise<void> {
  const { request, response } = call;
  const answer = await askKubelet(call, connection, {
    method: request.method ?? "GET",
    headers: passedOn(request.headers, { keepsUpgrade: true }),
  });
  if (answer.kind === "refused") return await passRefusal(call, answer.answer);
  const near = takeUpgrade(connection.upgrade, response);
  near.socket.write(headOf(answer.answer));
  near.socket.write(answer.head);
  answer.socket.write(near.head);
  await join(near.socket, answer.socket, { signal: call.api.signal });
}

/** Asks the node's kubelet to go on in another protocol. @throws {StatusFault} Unknown when it does not answer */
export async function askKubelet(
  call: Call,
  { upgrade, node, path }: KubeletConnection,
  {
    method,
    headers,
  }: { readonly method: string; readonly headers: Readonly<Record<string, string | string[]>> },
): Promise<UpgradeAnswer> {
  const target = addressOf(node);
  const gone = new AbortController();
  const leave = () => gone.abort(new Error("the client left"));
  const late = setTimeout(() => gone.abort(new Error("i/o timeout")), ANSWER_WITHIN_MS);
  upgrade.socket.once("close", leave);
  try {
    const socket = await call.api.kubelets.connect(target);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const host = `${target.host}:${target.port}`;
    return await askUpgrade(socket, {
      method,
      path,
      headers: { ...headers, host, "x-forwarded-for": forwardedFor(call.request) },
      signal: AbortSignal.any([gone.signal, call.api.signal]),
    });
  } catch (error) {
    throw unknownFault(`error dialing backend: ${explain(error)}`);
  } finally {
    clearTimeout(late);
    upgrade.socket.off("close", leave);
  }
}

/** @throws {StatusFault} Unknown for an answer that is neither a yes nor a no */
export async function passRefusal({ api, response }: Call, answer: IncomingMessage): Promise<void> {
  const code = answer.statusCode ?? 500;
  if (code < 400) {
    answer.destroy();
    throw unknownFault(`invalid upgrade response: status code ${code}`);
  }
  response.writeHead(code, passedOn(answer.headers, { keepsUpgrade: false }));
  // The client left, or the kubelet broke off: there is nobody to tell.
  await pipeline(answer, response).catch((error: unknown) =>
    api.log.debug("a kubelet's refusal broke off", { error }),
  );
}
