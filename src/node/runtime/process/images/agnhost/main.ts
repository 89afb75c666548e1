import { isFault } from "#fault/fault";
import type { ImageContext } from "../preamble.ts";
import { type Flag, parseFlags } from "./flags.ts";
import type { Subcommand } from "./subcommand.ts";

/** Loaded one by one, because a pod that pauses should not pay for an HTTP server. */
const SUBCOMMANDS: Readonly<Record<string, () => Promise<Subcommand>>> = {
  ask: async () => (await import("./ask.ts")).ask,
  connect: async () => (await import("./connect.ts")).connect,
  "crd-conversion-webhook": async () => (await import("./crd-conversion-webhook.ts")).crdConversionWebhook,
  "dns-server-list": async () => (await import("./host-files.ts")).dnsServerList,
  "dns-suffix": async () => (await import("./host-files.ts")).dnsSuffix,
  "entrypoint-tester": async () => (await import("./entrypoint-tester.ts")).entrypointTester,
  "etc-hosts": async () => (await import("./host-files.ts")).etcHosts,
  "grpc-health-checking": async () => (await import("./grpc-health-checking.ts")).grpcHealthChecking,
  liveness: async () => (await import("./liveness.ts")).liveness,
  "logs-generator": async () => (await import("./logs-generator.ts")).logsGenerator,
  mounttest: async () => (await import("./mounttest.ts")).mounttest,
  netexec: async () => (await import("./netexec.ts")).netexec,
  pause: async () => (await import("./pause.ts")).pause,
  porter: async () => (await import("./porter.ts")).porter,
  "serve-hostname": async () => (await import("./serve-hostname.ts")).serveHostname,
  "test-service-account-issuer-discovery": async () =>
    (await import("./issuer-discovery.ts")).issuerDiscovery,
  "test-webserver": async () => (await import("./test-webserver.ts")).testWebserver,
  webhook: async () => (await import("./webhook.ts")).webhook,
};

/** What every subcommand takes and none minds: how much to log, and where to. */
const LOG_FLAGS: readonly Flag[] = [
  {
    name: "alsologtostderr",
    kind: "switch",
    fallback: "false",
    help: "no effect: everything goes to stderr",
  },
  { name: "logtostderr", kind: "switch", fallback: "true", help: "no effect: everything goes to stderr" },
  { name: "v", kind: "number", fallback: "0", help: "no effect" },
  { name: "vmodule", kind: "text", fallback: "", help: "no effect" },
];

/** Runs one subcommand of the test server that the Kubernetes conformance suite uses; resolves with the exit code:
 *  what the subcommand says, or 1 with the reason on stderr for a command line that cannot be read. */
export async function runAgnhost(argv: readonly string[], context: ImageContext): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || /^(?:-h|--help|help)$/.test(name)) return help(rest[0]);
  if (/^(?:-v|--version)$/.test(name)) return print("agnhost version 2.53 (twill)");
  const load = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (load === undefined) return refuse(`unknown command "${name}" for "agnhost"`, "agnhost --help");
  const subcommand = await load();
  if (!subcommand.isRaw && rest.some((word) => word === "-h" || word === "--help")) return help(name);
  try {
    const parsed = subcommand.isRaw
      ? { ...parseFlags([], []), args: rest }
      : parseFlags([...subcommand.flags, ...LOG_FLAGS], rest);
    return await subcommand.run({ ...parsed, ...context });
  } catch (error) {
    if (isFault(error) && error.code === "Usage") return refuse(error.message, `agnhost ${name} --help`);
    throw error;
  }
}

async function help(name: string | undefined): Promise<number> {
  if (name !== undefined && Object.hasOwn(SUBCOMMANDS, name)) {
    const subcommand = await SUBCOMMANDS[name]?.();
    const flags = subcommand?.flags.map(
      (f) => `      --${f.name.padEnd(24)} ${f.help} (default ${JSON.stringify(f.fallback)})`,
    );
    const usage = `agnhost ${name} [flags]${subcommand?.usage ? ` ${subcommand.usage}` : ""}`;
    return print(
      [subcommand?.summary ?? "", "", "Usage:", `  ${usage}`, "", "Flags:", ...(flags ?? [])].join("\n"),
    );
  }
  const rows = await Promise.all(
    Object.entries(SUBCOMMANDS).map(async ([key, load]) => `  ${key.padEnd(20)}${(await load()).summary}`),
  );
  return print(["Usage:", "  agnhost [command]", "", "Available Commands:", ...rows].join("\n"));
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function refuse(reason: string, hint: string): number {
  process.stderr.write(`Error: ${reason}\nRun '${hint}' for usage.\n`);
  return 1;
}
