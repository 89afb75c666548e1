import { statfsSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import { openNetlink } from "#kernel/netlink";
import { inNetns, openNetns } from "#kernel/netns";
import { servePrivately } from "#kernel/private-socket";
import type { Logger } from "#telemetry/log";
import type { SandboxNetwork } from "../model.ts";
import { Lanes } from "../runtime/lanes.ts";
import { type Answering, answerBytes, answerRemovals, flannelCallOf } from "./answer.ts";
import { answerFlannel } from "./flannel.ts";
import { encodeAnswer, LONGEST_CALL_BYTES } from "./frame.ts";
import { pathWithin } from "./path-within.ts";
import { Turns } from "./turns.ts";

/** Where the executable looks when the network's file names no other place. */
export const DEFAULT_SOCKET = "/run/twill/cni.sock";
/** More than a machine starts pods at once; whoever comes later is told to try again. */
const MOST_CONNECTIONS = 4096;
/** The executable has its whole call at hand before it connects. */
const SPEAK_WITHIN_MS = 2_000;
/** So many removals take some milliseconds more than one; everything else waits so long. */
const MOST_TOGETHER = 64;
/** Each is a program with children of its own. */
const MOST_PLUGINS = 8;
const LOOPBACK_INDEX = 1;
const NSFS_MAGIC = 0x6e736673;

export interface ServePluginOptions {
  readonly socketPath: string;
  /** Undefined while it is not ready. */
  readonly network: () => SandboxNetwork | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onListening?: () => void;
}

/** The executable's calls are answered from `network`, until aborted. One connection is one call, and root's alone. A call
 *  waits for those that connected before it, so what a killed one has begun is done before its removal.
 *  @throws {Error} when the socket cannot be made */
export async function servePlugin(options: ServePluginOptions): Promise<void> {
  const { socketPath, signal, log, onListening } = options;
  signal.throwIfAborted();
  const lanes = new Lanes(MOST_PLUGINS);
  const turns = new Turns<Heard>((calls) => answerSome(calls, lanes, options));
  await servePrivately({
    socketPath,
    uids: [0],
    mostConnections: MOST_CONNECTIONS,
    allowHalfOpen: true,
    // It takes its turn at once, and uses it when it has been heard.
    connected: (socket, { pid }) => turns.take(hear(socket).then((bytes) => ({ socket, bytes, pid }))),
    refused: (uid) => log.warn("refused a CNI call that is not root's", { uid }),
    listening: () => {
      log.info("answering the CNI executable", { socket: socketPath });
      onListening?.();
    },
    signal,
  });
}

/** A call that has been heard; without bytes nobody waits for an answer. */
interface Heard {
  readonly socket: Socket;
  readonly bytes: Uint8Array | undefined;
  readonly pid: number;
}

/** Answers the first call, or as many as can be done together. @returns how many */
function answerSome(calls: readonly Heard[], lanes: Lanes, { network, log }: ServePluginOptions): number {
  const [first] = calls;
  if (!first || first.bytes === undefined || first.socket.destroyed) {
    first?.socket.destroy();
    return 1;
  }
  const answering = { network: network(), ...viewOf(first.pid) };
  const flannel = flannelCallOf(first.bytes);
  if (flannel) {
    // Another plugin's time is not this line's; what is for one container stays in its order.
    const work = () => answerFlannel(flannel, answering.pathOf);
    const { CNI_CONTAINERID: id = "" } = flannel.env;
    const done = flannel.command === "GC" ? lanes.alone(work) : lanes.inOrder(id, work);
    void done.then((answer) => first.socket.end(encodeAnswer(answer)));
    return 1;
  }
  const bytes = calls.slice(0, MOST_TOGETHER).map((call) => call.bytes);
  const answers = answerRemovals(bytes, answering.network) ?? [answerBytes(first.bytes, answering)];
  for (const [i, answer] of answers.entries()) {
    if (answer.exitCode !== 0) log.debug("a CNI call was answered with an error", { answer: answer.stdout });
    calls[i]?.socket.end(encodeAnswer(answer));
  }
  return answers.length;
}

/** All that the peer says; nothing when it says too much, or not in time. */
async function hear(socket: Socket): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  socket.setTimeout(SPEAK_WITHIN_MS, () => socket.destroy());
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const bytes = chunk as Buffer;
      length += bytes.length;
      if (length > LONGEST_CALL_BYTES) return undefined;
      chunks.push(bytes);
    }
  } catch {
    return undefined;
  }
  socket.setTimeout(0);
  return Buffer.concat(chunks);
}

/** Paths as the caller's mounts have them, where we see the caller. */
function viewOf(pid: number): Omit<Answering, "network"> {
  const root = pid > 0 && !sharesMounts(pid) ? `/proc/${pid}/root` : "";
  const own = idOf(pid > 0 ? `/proc/${pid}/ns/net` : "/proc/self/ns/net");
  return {
    pathOf: (path) => pathWithin(root, path),
    isNetns: (path) => {
      try {
        return statfsSync(path).type === NSFS_MAGIC;
      } catch {
        return false;
      }
    },
    isOwnNetns: (path) => own !== undefined && idOf(path) === own,
    setLoopbackUp,
  };
}

/** Whether every path leads that process where it leads us. */
function sharesMounts(pid: number): boolean {
  const [theirs, ours] = [String(pid), "self"].map((who) =>
    ["ns/mnt", "root"].map((place) => idOf(`/proc/${who}/${place}`)).join(),
  );
  return theirs === ours;
}

function setLoopbackUp(path: string): void {
  using ns = openNetns(path);
  inNetns(ns, () => {
    using netlink = openNetlink();
    netlink.changeLink(LOOPBACK_INDEX, { isUp: true });
  });
}

function idOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
