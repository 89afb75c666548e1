import { connect } from "node:net";
import { formatEndpoint, isIp } from "#addr/ip";
import { asError } from "#fault/fault";
import type { Container, IntOrString, Probe } from "#kube/generated/types";
import { expand } from "../env/expand.ts";
import type { ExecResult } from "../runtime/runtime.ts";
import { dialError } from "./network-words.ts";
import type { ProbeOutcome } from "./probe-state.ts";
import { tryGrpc } from "./try-grpc.ts";
import { type HttpAnswer, tryHttp } from "./try-http.ts";

export interface ProbeTarget {
  readonly container: Container;
  /** The pod's first address; the node's for a pod of the host's network. */
  readonly ip: string;
  readonly exec: (command: readonly string[], timeoutMs: number) => Promise<ExecResult>;
}

export interface ProbeFinding {
  readonly outcome: ProbeOutcome;
  readonly output: string;
  /** What is odd about a success. */
  readonly warning?: string;
}

const MAX_OUTPUT = 10 * 1024;
/** Tries of one round while the probe itself, not the program, is at fault. */
const MAX_TRIES = 3;

/** One round of a probe; never rejects but for a bug. `unknown` when it could not be tried at all. */
export async function tryProbe(
  probe: Probe,
  target: ProbeTarget,
  { signal }: { signal: AbortSignal },
): Promise<ProbeFinding> {
  for (let tries = 1; ; tries++) {
    const finding = await tryOnce(probe, target, { signal });
    if (finding.outcome !== "unknown" || tries === MAX_TRIES || signal.aborted) return finding;
  }
}

async function tryOnce(
  probe: Probe,
  target: ProbeTarget,
  { signal }: { signal: AbortSignal },
): Promise<ProbeFinding> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  const both = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const { isSuccess, output, warning } = await tryAction(probe, target, { signal: both, timeoutMs });
    return {
      outcome: isSuccess ? "success" : "failure",
      output: output.slice(0, MAX_OUTPUT),
      ...(warning === undefined ? {} : { warning }),
    };
  } catch (error) {
    const isUntried = signal.aborted || error instanceof Untried;
    return { outcome: isUntried ? "unknown" : "failure", output: asError(error).message };
  }
}

/** The probe itself is at fault, so its result says nothing of the container. */
class Untried extends Error {}

async function tryAction(
  probe: Probe,
  target: ProbeTarget,
  options: { signal: AbortSignal; timeoutMs: number },
): Promise<HttpAnswer> {
  const { httpGet, tcpSocket, exec, grpc } = probe;
  const { container, ip } = target;
  if (httpGet) return tryHttp(httpGet, { ip, port: portOf(httpGet.port, container) }, options);
  if (tcpSocket) return tryTcp(tcpSocket.host || ip, portOf(tcpSocket.port, container), options);
  if (grpc && isIp(ip)) return tryGrpc({ ip, port: grpc.port, service: grpc.service ?? "" }, options);
  if (!exec) throw new Untried("the probe has no action");
  const command = expandedCommand(exec.command ?? [], container);
  const { code, output, isTimedOut } = await target.exec(command, options.timeoutMs).catch((error) => {
    throw new Untried(asError(error).message);
  });
  if (isTimedOut) {
    const words = JSON.stringify(command.join(" "));
    return {
      isSuccess: false,
      output: `command timed out: ${words} timed out after ${options.timeoutMs / 1000}s`,
    };
  }
  return { isSuccess: code === 0, output };
}

/** Only variables with a value of their own can be meant: all others are known to nobody but the running program. */
function expandedCommand(command: readonly string[], { env }: Container): readonly string[] {
  const literal = new Map(
    (env ?? []).map(({ name, value, valueFrom }) => [name, valueFrom ? undefined : (value ?? "")]),
  );
  return command.map((word) => expand(word, (name) => literal.get(name)));
}

function tryTcp(
  host: string,
  port: number,
  { signal }: { signal: AbortSignal },
): Promise<{ isSuccess: boolean; output: string }> {
  const address = isIp(host) ? formatEndpoint(host, port) : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once("error", (error) => {
      const why = signal.aborted ? `dial tcp ${address}: i/o timeout` : dialError(error, address);
      reject(new Error(why, { cause: error }));
    });
    socket.once("connect", () => {
      socket.resetAndDestroy(); // no TIME_WAIT piles
      resolve({ isSuccess: true, output: "" });
    });
  });
}

/** A port number, by number or by the name of one of the container's ports. */
export function portOf(port: IntOrString, container: Container): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw new Untried(
    Number.isInteger(number)
      ? `invalid port number: ${number}`
      : `strconv.Atoi: parsing ${JSON.stringify(port)}: invalid syntax`,
  );
}
