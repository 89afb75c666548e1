/** `node plugin-agent.ts SETTINGS`: the agent's end of the plugin alone, on the network namespace this process was started in,
 *  until it is killed. Says `ready` on standard output when it answers. For tests and benches. */
import { parseCidr } from "#addr/cidr";
import { openKernel } from "#kernel/open";
import { openLog } from "#telemetry/log";
import { openSandboxNetwork } from "../open.ts";
import { servePlugin } from "../plugin/serve.ts";

export interface PluginAgentSettings {
  readonly socketPath: string;
  readonly ipamDir: string;
  readonly podCidrs: readonly string[];
  readonly clusterCidrs: readonly string[];
  /** Starts as an agent does whose fabric is not ready, and stays so. */
  readonly isBlind?: boolean;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as PluginAgentSettings;
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
const log = openLog({ write: (line) => process.stderr.write(line), level: "info" });
const network = settings.isBlind
  ? undefined
  : openSandboxNetwork({
      kernel: openKernel(),
      bridge: "cni0",
      mtuBytes: 1450,
      podCidrs: settings.podCidrs.map((text) => parseCidr(text)),
      clusterCidrs: settings.clusterCidrs.map((text) => parseCidr(text)),
      ipamDir: settings.ipamDir,
      log,
    });
await servePlugin({
  socketPath: settings.socketPath,
  network: () => network,
  log,
  signal: stop.signal,
  onListening: () => process.stdout.write("ready\n"),
});
process.exit(0);
