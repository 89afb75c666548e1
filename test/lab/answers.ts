/** What a user is answered, what a lab leaves behind, and its server's namespaces seen from outside. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { isMountPoint } from "#kernel/mount-namespace";
import type { Node } from "#kube/generated/types";
import { LAB_ROOTS } from "#lab/layout";
import { IMAGES_IN_NODE } from "#lab/place-images";
import { processesIn } from "#lab/processes";
import { type Lab, launcher, type Ran, run } from "./lab.ts";

/** The program as a lab's nodes run it. */
export const PROGRAM = [process.execPath, join(launcher, "../.twill/bundle/twill.mjs")];
/** The address of a lab's server inside the lab. */
export const ADDRESS = "172.30.0.11";

export function assertSentence(ran: Ran, code: number, says: RegExp): void {
  assert.equal(ran.code, code, `${ran.out}${ran.err}`);
  assert.match(ran.err, says);
  assert.doesNotMatch(ran.err, /\n\s+at /, "no stack");
}

export function assertUnharmed(lab: Lab): void {
  const [node] = lab.json<{ items: readonly Node[] }>("get", "nodes").items;
  assert.equal(node?.status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
}

/** Folders, mounts and processes that a lab has on this machine. */
export function leftOf(name: string): readonly string[] {
  const [dir, pins] = [join(LAB_ROOTS.state, name), join(LAB_ROOTS.run, name)];
  return [...[dir, pins].filter(existsSync), ...[pins].filter(isMountPoint), ...processesIn(dir).map(String)];
}

/** The words after `nsenter`, and its options, that run a program on the lab's server as if it were a machine. */
export function onServer(lab: Lab, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const pin = join(LAB_ROOTS.run, lab.name, lab.node("server"));
  const enter = [`--net=${pin}.net`, `--mount=${pin}.mnt`, "--wd=/"];
  return {
    words: [...enter, ...words],
    options: { env: { PATH: process.env["PATH"], HOME: "/root", TWILL_IMAGES: IMAGES_IN_NODE, ...env } },
  };
}

export function runOnServer(
  lab: Lab,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Ran {
  const inside = onServer(lab, words, env);
  return run("nsenter", inside.words, inside.options);
}

/** Resolves with the first line that matches. @throws when the stream ends without one */
export async function line(stream: Readable, says: RegExp): Promise<string> {
  let text = "";
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    const found = text.split("\n").find((each) => says.test(each));
    if (found !== undefined) return found;
  }
  throw new Error(`never: ${says}\n${text}`);
}
