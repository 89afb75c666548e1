/** Starting wireguard-go, which then carries its device alone: it outlives this process, and ends when its link is deleted. */
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { awayFromHome } from "../away-from-home.ts";
import * as libc from "../ffi/libc.ts";
import { findExecutable } from "../find-executable.ts";
import { SOCKET_DIR, type WireguardFolders } from "./folders.ts";

const PROGRAM = "wireguard-go";
/** A service manager may start us without the folders that administration programs are in. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const TUN = "/dev/net/tun";
const PATIENCE_MS = 10_000;
/** It writes a line whenever a packet cannot be sent, for as long as that is so. */
const LARGEST_LOG_BYTES = 256 << 10;

/** Where wireguard-go is, when this machine can run it. */
export function findWireguardGo(): string | undefined {
  try {
    return existsSync(TUN) ? findExecutable({ command: PROGRAM, env: { PATH }, cwd: "/" }) : undefined;
  } catch {
    return undefined;
  }
}

/** Makes the device `name` in the network namespace this thread is in, and returns once it and its socket stand.
 *  wireguard-go makes both and then goes on as a process of its own, whose parent is not this one.
 *  @throws {Fault} "WireguardGo" with its own words */
export function spawnWireguardGo(name: string, folders: WireguardFolders): void {
  const log = openLog(name, folders);
  const command = findWireguardGo() ?? PROGRAM;
  try {
    const done = withSocketsIn(folders.sockets, () =>
      spawnSync(command, [name], {
        // It outlives us, and must hold no folder in use.
        cwd: "/",
        env: { PATH, LOG_LEVEL: "error" },
        stdio: ["ignore", log, log],
        timeout: PATIENCE_MS,
        ...IN_ITS_OWN_SESSION,
      }),
    );
    if (done.status === 0) return;
    const why =
      done.error?.message ?? lastLine(name, folders) ?? `it ended with ${done.status ?? done.signal}`;
    throw new Fault("WireguardGo", `Cannot make WireGuard device ${name} with ${command}: ${why}`, {
      detail: { name, command },
    });
  } finally {
    closeSync(log);
  }
}
/** So that Ctrl-C at a terminal ends us and not the tunnel. `spawnSync` takes it, though its types do not say so. */
const IN_ITS_OWN_SESSION: object = { detached: true };

/** Keeps the log of a device small; where nothing is logged this does nothing. */
export function trimLog(name: string, folders: WireguardFolders): void {
  if (existsSync(logFile(name, folders))) closeSync(openLog(name, folders));
}

/** wireguard-go opens its sockets in one folder only. For another one it gets a mount namespace in which that is there. */
function withSocketsIn<T>(dir: string, f: () => T): T {
  mkdirSync(SOCKET_DIR, { recursive: true, mode: 0o755 });
  if (dir === SOCKET_DIR) return f();
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  return awayFromHome(() => {
    libc.unshare(libc.CLONE_NEWNS);
    libc.mount(null, "/", null, libc.MS_REC | libc.MS_SLAVE);
    libc.mount(dir, SOCKET_DIR, null, libc.MS_BIND);
    return f();
  });
}

function openLog(name: string, folders: WireguardFolders): number {
  mkdirSync(folders.logs, { recursive: true, mode: 0o755 });
  const fd = openSync(logFile(name, folders), "a", 0o600);
  if (fstatSync(fd).size > LARGEST_LOG_BYTES) ftruncateSync(fd);
  return fd;
}

function lastLine(name: string, folders: WireguardFolders): string | undefined {
  return readFileSync(logFile(name, folders), "utf8").trimEnd().split("\n").at(-1) || undefined;
}

function logFile(name: string, { logs }: WireguardFolders): string {
  return join(logs, `wireguard-go-${name}.log`);
}
