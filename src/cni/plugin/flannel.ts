/** The plugin `flannel`: hands the node's subnet on to another plugin, and that one's answer back. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { keepWhole } from "#disk/whole-file";
import { explain } from "#fault/fault";
import { parseSubnetFile, type SubnetFile } from "#wire/subnet-file";
import { findPlugin } from "../runtime/find-plugin.ts";
import { failureOf } from "../runtime/plugin-answer.ts";
import { PluginFault } from "../runtime/plugin-fault.ts";
import { runPlugin } from "../runtime/run-plugin.ts";
import { type DelegateConf, delegateConf, type FlannelCall, keptConf } from "./flannel-conf.ts";
import type { Answer } from "./frame.ts";
import { isObject } from "./json.ts";
import { ERROR_CODES, formatError, PluginError } from "./plugin-error.ts";

/** Where a path that the runtime names is for us. */
export type PathOf = (path: string) => string;

const PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** The executable waits for a hundred seconds. */
const TIMEOUT_MS = 90_000;
/** A container's id is a file's name. */
const ID = /^[A-Za-z0-9][\w.-]*$/;

/** The answer to such a call, whatever comes of it. Calls for one container are not to be made side by side. */
export async function answerFlannel(call: FlannelCall, pathOf: PathOf): Promise<Answer> {
  try {
    return await answer(call, pathOf);
  } catch (thrown) {
    return { exitCode: 1, stdout: formatError(call.version, errorOf(thrown)) };
  }
}

async function answer(call: FlannelCall, pathOf: PathOf): Promise<Answer> {
  const { command, env } = call;
  switch (command) {
    case "ADD":
      return await add(call, pathOf);
    case "DEL":
      return await remove(call, env, pathOf);
    case "CHECK": {
      const conf = readKept(call, env, pathOf);
      return conf === undefined ? NOTHING : await run(call, env, conf, pathOf);
    }
    case "GC":
      return await collect(call, pathOf);
    case "STATUS":
      readSubnet(call, pathOf);
      return NOTHING;
    default:
      return command satisfies never;
  }
}

const NOTHING: Answer = { exitCode: 0, stdout: "" };

/** What DEL needs is written down first: whoever dies in between is cleaned up after. */
async function add(call: FlannelCall, pathOf: PathOf): Promise<Answer> {
  const conf = delegateConf(call, readSubnet(call, pathOf));
  keepWhole(fileOf(call, call.env, pathOf), JSON.stringify(conf), { mode: 0o600 });
  return await run(call, call.env, conf, pathOf);
}

/** By what was written down at ADD, whatever the subnet is now. Absent is success. */
async function remove(call: FlannelCall, env: FlannelCall["env"], pathOf: PathOf): Promise<Answer> {
  const conf = readKept(call, env, pathOf);
  if (conf === undefined) return NOTHING;
  const done = await run(call, env, conf, pathOf);
  if (done.exitCode === 0) rmSync(fileOf(call, env, pathOf), { force: true });
  return done;
}

/** Takes back what is written down of this network's containers that are not among the valid ones. */
async function collect(call: FlannelCall, pathOf: PathOf): Promise<Answer> {
  const key = call.config.at("cni.dev/valid-attachments");
  const place = key.value === undefined ? call.config.at("cni.dev/attachments") : key;
  const valid = new Set(place.list().map((each) => each.at("containerID").string()));
  let failed: Answer | undefined;
  for (const id of listDir(pathOf(call.dataDir)).filter((name) => ID.test(name) && !valid.has(name))) {
    const env = { ...call.env, CNI_COMMAND: "DEL", CNI_CONTAINERID: id, CNI_IFNAME: "eth0", CNI_NETNS: "" };
    if (readKept(call, env, pathOf)?.["name"] !== call.network) continue;
    const done = await remove(call, env, pathOf);
    if (done.exitCode !== 0) failed ??= done;
  }
  return failed ?? NOTHING;
}

/** Runs the other plugin where the runtime would, with paths as they are for us. */
async function run(
  call: FlannelCall,
  env: FlannelCall["env"],
  conf: DelegateConf,
  pathOf: PathOf,
): Promise<Answer> {
  if (conf.type === "flannel")
    throw new PluginError("badConfig", "Cannot hand on to flannel itself: delegate.type is flannel");
  const binDirs = (env["CNI_PATH"] ?? "")
    .split(":")
    .filter((dir) => dir.startsWith("/"))
    .map(pathOf);
  const { CNI_NETNS: netns = "" } = env;
  const ours = netns === "" ? "" : pathOf(netns);
  const path = findPlugin(conf.type, binDirs);
  const invocation = {
    verb: call.command,
    env: { ...env, PATH: PROGRAMS, CNI_PATH: binDirs.join(":"), CNI_NETNS: ours },
    stdin: JSON.stringify(ours === netns ? conf : renamed(conf, netns, ours)),
  };
  const end = await runPlugin(path, invocation, { timeoutMs: TIMEOUT_MS });
  const stdout = ours === netns ? end.stdout : inTheirWords(end.stdout, ours, netns);
  if (end.code === 0) return { exitCode: 0, stdout };
  if (isError(stdout)) return { exitCode: 1, stdout };
  throw failureOf(end);
}

/** An error in the other plugin's own words goes on as it is. */
function isError(stdout: string): boolean {
  try {
    const json: unknown = JSON.parse(stdout);
    return isObject(json) && typeof json["code"] === "number";
  } catch {
    return false;
  }
}

function inTheirWords(stdout: string, ours: string, theirs: string): string {
  try {
    return `${JSON.stringify(renamed(JSON.parse(stdout), ours, theirs))}\n`;
  } catch {
    return stdout;
  }
}

/** The same document with every text that is `from` made `to`: a sandbox in a result, and in one that came before. */
function renamed<T>(value: T, from: string, to: string): T {
  const text = JSON.stringify(value, (_key, each: unknown) => (each === from ? to : each));
  return JSON.parse(text) as T;
}

/** @throws {PluginError} to try again while nobody has told this node's subnet */
function readSubnet({ subnetFile, command }: FlannelCall, pathOf: PathOf): SubnetFile {
  try {
    return parseSubnetFile(readFileSync(pathOf(subnetFile), "utf8"));
  } catch (error) {
    throw new PluginError(
      command === "STATUS" ? "notAvailable" : "tryAgainLater",
      `Cannot read this node's subnet from ${subnetFile}: ${explain(error)}`,
      "the fabric writes it once the node has a subnet",
    );
  }
}

/** What ADD wrote down. A file that came back empty from a machine without power says nothing any more, and its cables are gone. */
function readKept(call: FlannelCall, env: FlannelCall["env"], pathOf: PathOf): DelegateConf | undefined {
  try {
    return keptConf(readFileSync(fileOf(call, env, pathOf), "utf8"), call);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function fileOf({ dataDir }: FlannelCall, env: FlannelCall["env"], pathOf: PathOf): string {
  return join(pathOf(dataDir), env["CNI_CONTAINERID"] ?? "");
}

function listDir(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function errorOf(thrown: unknown): PluginError {
  if (thrown instanceof PluginError) return thrown;
  if (!(thrown instanceof PluginFault)) return new PluginError("io", explain(thrown));
  const isSoon = thrown.pluginCode === ERROR_CODES.tryAgainLater;
  return new PluginError(isSoon ? "tryAgainLater" : "refused", thrown.message);
}
