/** Looks after a containerd as an agent does, for tests: says "ready" once it runs and has imported what there is, and its log
 *  on standard error. `kill -9` is part of the game. */
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { openContainerd } from "../open.ts";

export interface KeeperSettings {
  readonly dataDir: string;
  readonly stateDir: string;
  readonly imagesDir: string;
  readonly streamPort?: number;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as KeeperSettings;
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
const containerd = await openContainerd({
  ...settings,
  cni: undefined,
  env: process.env,
  clock: systemClock,
  log: openLog({ write: (line) => process.stderr.write(line), level: "info" }),
  signal: stop.signal,
});
await containerd.preloaded;
process.stdout.write(`ready ${containerd.endpoint}\n`);
await containerd.ended;
