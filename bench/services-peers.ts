/** Rule sets that are given to a program as a whole, and changed by it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelMemory } from "./services-memory.ts";
import type { Shape } from "./services-objects.ts";
import { iptablesShape, iptablesShapeChange, nftShape, nftShapeChange } from "./services-shapes.ts";

export interface Peer {
  readonly name: string;
  readonly program: readonly string[];
  readonly all: (shape: Shape) => string;
  readonly change: (i: number, shape: Shape, version: number) => string;
}

const NFT: Peer = {
  name: "nft -f, a chain per service",
  program: ["nft", "-f"],
  all: nftShape,
  change: nftShapeChange,
};

const IPTABLES: Peer = {
  name: "iptables-restore",
  program: ["iptables-restore", "--noflush"],
  all: iptablesShape,
  change: iptablesShapeChange,
};

/** Those this machine has the program of. */
export function peersHere(): readonly Peer[] {
  return [NFT, IPTABLES].filter(
    ({ program }) => spawnSync("sh", ["-c", `command -v ${program[0]}`]).status === 0,
  );
}

/** Gives a text to the peer's program in a namespace. @returns how long it took, milliseconds */
export function give(netns: string, { program }: Peer, text: string, memory?: KernelMemory): number {
  const directory = mkdtempSync(join(tmpdir(), "twill-bench-"));
  try {
    const file = join(directory, "rules");
    writeFileSync(file, text);
    const from = performance.now();
    const enter = memory?.words() ?? [];
    const words = [...enter, "ip", "netns", "exec", netns, ...program, file];
    const { status, stderr } = spawnSync(words[0] ?? "", words.slice(1), { encoding: "utf8" });
    if (status !== 0) throw new Error(`${program.join(" ")}: ${stderr.slice(0, 2000)}`);
    return performance.now() - from;
  } finally {
    if (existsSync(directory)) rmSync(directory, { recursive: true });
  }
}
