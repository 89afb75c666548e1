import type { Socket } from "node:net";
import { isIp, parseIp } from "#addr/ip";
import { asError } from "#fault/fault";
import { serveStatusSocket } from "#kernel/status-socket";
import type { Logger } from "#telemetry/log";
import type { Answer, Question } from "./model.ts";

/** Where a node's agent tells how it routes services. */
export const SERVICE_SOCKET = "/run/twill/service.sock";
const MOST_QUESTION_BYTES = 4_096;

export interface ServeRoutingOptions {
  readonly socketPath: string;
  readonly answer: (question: Question) => Answer;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Answers one question of every process of root's, or of its own user's, that connects, until aborted. Where the socket cannot
 *  be made, that is said, and routing does without. */
export async function serveRouting({ answer, ...options }: ServeRoutingOptions): Promise<void> {
  const { log } = options;
  await serveStatusSocket({
    ...options,
    subject: "the routing of services",
    allowHalfOpen: true,
    connected: (socket) => hearLine(socket, (line) => reply(socket, line, { answer, log })),
  });
}

/** Hands on the first line; a longer one than any question is the end. */
function hearLine(socket: Socket, heard: (line: string) => void): void {
  let text = "";
  const take = (chunk: Buffer) => {
    text += chunk.toString("utf8");
    const end = text.indexOf("\n");
    if (end < 0 && text.length > MOST_QUESTION_BYTES) socket.destroy();
    if (end < 0) return;
    socket.off("data", take);
    socket.resume();
    heard(text.slice(0, end));
  };
  socket.on("data", take);
  socket.once("end", () => socket.end());
}

function reply(
  socket: Socket,
  line: string,
  { answer, log }: Pick<ServeRoutingOptions, "answer" | "log">,
): void {
  const question = readQuestion(line);
  if (question === undefined) {
    socket.destroy();
    return;
  }
  try {
    socket.end(`${JSON.stringify(answer(question))}\n`);
  } catch (error) {
    log.warn("could not answer about services", { ask: question.ask, error: asError(error) });
    socket.destroy();
  }
}

/** Undefined for what is no question. */
export function readQuestion(line: string): Question | undefined {
  const value = parse(line);
  if (typeof value !== "object" || value === null) return undefined;
  const field = (name: string): unknown => Reflect.get(value, name);
  const [ask, service, from, to, port] = ["ask", "service", "from", "to", "port"].map(field);
  if (ask === "list") return { ask };
  if (ask !== "explain" || typeof service !== "string") return undefined;
  if (![from, to].every((ip) => ip === undefined || (typeof ip === "string" && isIp(ip)))) return undefined;
  if (port !== undefined && !(typeof port === "number" && Number.isInteger(port))) return undefined;
  return {
    ask,
    service,
    ...(typeof from === "string" ? { from: parseIp(from) } : {}),
    ...(typeof to === "string" ? { to: parseIp(to) } : {}),
    ...(typeof port === "number" ? { port } : {}),
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
