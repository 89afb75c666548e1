/** A thread in a machine's namespace that opens new connections all the time, by TCP and UDP in turn to each of its targets, and
 *  tells at the end which of them failed. */
import { createSocket } from "node:dgram";
import { openSync } from "node:fs";
import { connect } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { CLONE_NEWNET, setns } from "#kernel/ffi/libc";

export interface ExchangeOrder {
  readonly netns: string;
  readonly targets: readonly { readonly name: string; readonly ip: string; readonly port: number }[];
  readonly everyMs: number;
}

export interface ExchangeReport {
  readonly tcp: number;
  readonly udp: number;
  readonly failed: readonly string[];
  /** Connections that needed more than one packet to begin, as when one was lost. */
  readonly resent: number;
  readonly slowestMs: number;
}

/** A client that waits: as long as its kernel would go on, but for a test. */
const PATIENCE_MS = 8_000;
/** When a client that has no answer asks again; TCP does so by itself. */
const AGAIN_MS = 1_000;
const TOLD = 50;

const { netns, targets, everyMs } = workerData as ExchangeOrder;
setns(openSync(netns, "r"), CLONE_NEWNET);

let [tcp, udp, resent, slowestMs] = [0, 0, 0, 0];
const failed: string[] = [];
const open = new Set<Promise<void>>();

function overTcp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (error?: string) => {
      clearTimeout(timer);
      // No port is kept from its next use by what is over.
      socket.resetAndDestroy();
      resolve(error);
    };
    const timer = setTimeout(() => settle("silence"), PATIENCE_MS);
    socket.on("connect", () => socket.write("who?\n"));
    socket.once("data", () => settle());
    socket.on("error", (error) => settle("code" in error ? String(error.code) : error.message));
    socket.once("close", () => settle("closed"));
  });
}

function overUdp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const settle = (error?: string) => {
      clearTimeout(timer);
      clearInterval(again);
      socket.close();
      resolve(error);
    };
    const timer = setTimeout(() => settle("silence"), PATIENCE_MS);
    const again = setInterval(() => {
      resent++;
      socket.send("who?");
    }, AGAIN_MS);
    socket.once("error", (error) => settle("code" in error ? String(error.code) : error.message));
    socket.once("message", () => settle());
    socket.connect(port, host, () => socket.send("who?"));
  });
}

async function exchange(turn: number): Promise<void> {
  const target = targets[Math.floor(turn / 2) % targets.length];
  if (!target) return;
  const isTcp = turn % 2 === 0;
  const began = performance.now();
  const error = await (isTcp ? overTcp : overUdp)(target.ip, target.port);
  const tookMs = performance.now() - began;
  if (isTcp) tcp++;
  else udp++;
  slowestMs = Math.max(slowestMs, tookMs);
  if (isTcp && tookMs > AGAIN_MS) resent++;
  if (error !== undefined && failed.length < TOLD)
    failed.push(
      `${target.name} ${isTcp ? "tcp" : "udp"} ${target.ip} ${target.port}: ${error} after ${Math.round(tookMs)} ms`,
    );
}

let turn = 0;
const timer = setInterval(() => {
  const running = exchange(turn++).finally(() => open.delete(running));
  open.add(running);
}, everyMs);

parentPort?.on("message", () => {
  clearInterval(timer);
  void Promise.all(open).then(() => {
    const report: ExchangeReport = { tcp, udp, failed, resent, slowestMs: Math.round(slowestMs) };
    parentPort?.postMessage(report);
  });
});
parentPort?.postMessage("ready");
