import { closeSync, constants, openSync } from "node:fs";
import { connect } from "node:net";
import { basename, dirname } from "node:path";
import { Fault } from "#fault/fault";
import type { FabricStatus } from "./model.ts";

/** More than ten thousand peers have to say. */
const MOST_BYTES = 64 << 20;
const ANSWER_WITHIN_MS = 10_000;

/** What the agent behind the socket says. @throws {Fault} "NoAgent" when nobody answers there, "BadStatus" */
export async function askStatus(
  socketPath: string,
  { signal }: { signal: AbortSignal },
): Promise<FabricStatus> {
  const text = await readAll(socketPath, signal);
  try {
    const status: unknown = JSON.parse(text);
    if (isStatus(status)) return status;
  } catch {
    // Said below.
  }
  throw new Fault(
    "BadStatus",
    `Cannot read the fabric's status from ${socketPath}: it ends early, or is of another version of Twill`,
  );
}

/** Our own agent wrote it; what another version writes differs here first. */
function isStatus(value: unknown): value is FabricStatus {
  return (
    typeof value === "object" &&
    value !== null &&
    ["peers", "silent", "devices", "findings", "waitingFor", "podCidrs"].every((key) =>
      Array.isArray(Reflect.get(value, key)),
    ) &&
    ["guard", "rounds"].every((key) => typeof Reflect.get(value, key) === "object")
  );
}

async function readAll(socketPath: string, signal: AbortSignal): Promise<string> {
  // By way of its folder, for a socket's address holds no more than 107 bytes.
  const folder = openFolder(socketPath);
  const socket = connect({ path: `/proc/self/fd/${folder}/${basename(socketPath)}` });
  const hangUp = () => socket.destroy(new Error("interrupted"));
  signal.addEventListener("abort", hangUp, { once: true });
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error("no answer in time")));
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of socket) {
      const bytes = chunk as Buffer;
      length += bytes.length;
      if (length > MOST_BYTES) throw new Error("it never ends");
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString("utf8");
  } catch (cause) {
    throw noAgent(socketPath, cause);
  } finally {
    signal.removeEventListener("abort", hangUp);
    socket.destroy();
    closeSync(folder);
  }
}

function openFolder(socketPath: string): number {
  try {
    return openSync(dirname(socketPath), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw noAgent(socketPath, cause);
  }
}

function noAgent(socketPath: string, cause: unknown): Fault {
  const code: unknown = cause instanceof Error ? Reflect.get(cause, "code") : undefined;
  if (code === "EACCES" || code === "EPERM")
    return new Fault("NotRoot", `Cannot ask at ${socketPath}: it answers root only; run this with sudo`);
  if (code === "ENOENT" || code === "ECONNREFUSED")
    return new Fault("NoAgent", `Cannot ask at ${socketPath}: no Twill with a fabric of its own runs here`);
  return new Fault("NoAgent", `Cannot ask at ${socketPath}`, { cause });
}
