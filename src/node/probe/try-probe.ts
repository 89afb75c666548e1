import { connect } from "node:net";
import { isIp } from "#addr/ip";
import { asError } from "#fault/fault";
import type { Container, IntOrString, Probe } from "#kube/generated/types";
import type { ExecResult } from "../runtime/runtime.ts";
import type { ProbeOutcome } from "./probe-state.ts";
import { tryGrpc } from "./try-grpc.ts";
import { tryHttp } from "./try-http.ts";

export interface ProbeTarget {
  readonly container: Container;
  /** The pod's first address; the node's for a pod of the host's network. */
  readonly ip: string;
  readonly exec: (command: readonly string[], timeoutMs: number) => Promise<ExecResult>;
}

export interface ProbeFinding {
  readonly outcome: ProbeOutcome;
  readonly output: string;
}

const MAX_OUTPUT = 1024;

/** One try of a probe; never rejects but for a bug. `unknown` when it could not be tried at all. */
export async function tryProbe(
  probe: Probe,
  target: ProbeTarget,
  { signal }: { signal: AbortSignal },
): Promise<ProbeFinding> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  const limit = AbortSignal.timeout(timeoutMs);
  const both = AbortSignal.any([signal, limit]);
  try {
    const { isSuccess, output } = await tryAction(probe, target, { signal: both, timeoutMs });
    return { outcome: isSuccess ? "success" : "failure", output: output.slice(0, MAX_OUTPUT) };
  } catch (error) {
    if (signal.aborted || error instanceof Untried)
      return { outcome: "unknown", output: asError(error).message };
    const output = limit.aborted ? `timed out after ${timeoutMs / 1000}s` : asError(error).message;
    return { outcome: "failure", output };
  }
}

/** The probe itself is at fault, so its result says nothing of the container. */
class Untried extends Error {}

async function tryAction(
  probe: Probe,
  target: ProbeTarget,
  options: { signal: AbortSignal; timeoutMs: number },
): Promise<{ isSuccess: boolean; output: string }> {
  const { httpGet, tcpSocket, exec, grpc } = probe;
  const { container, ip } = target;
  if (httpGet) return tryHttp(httpGet, { ip, port: portOf(httpGet.port, container) }, options);
  if (tcpSocket) return tryTcp(tcpSocket.host || ip, portOf(tcpSocket.port, container), options);
  if (grpc && isIp(ip)) return tryGrpc({ ip, port: grpc.port, service: grpc.service ?? "" }, options);
  if (!exec) throw new Untried("the probe has no action");
  const command = exec.command ?? [];
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

function tryTcp(
  host: string,
  port: number,
  { signal }: { signal: AbortSignal },
): Promise<{ isSuccess: boolean; output: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once("error", reject);
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
  throw new Untried(`invalid port ${JSON.stringify(port)}: no port of that name`);
}
