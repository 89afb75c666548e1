import { isFault } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import { CHAIN } from "./chain.ts";
import { parseCommandLine } from "./command-line.ts";
import { openKubeFor } from "./open-kube.ts";
import type { OpenKube } from "./plugin.ts";
import { openServer } from "./server.ts";

export interface CorednsOptions {
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Where `kubernetes` reads from; the cluster around this process unless a test brings its own. */
  readonly openKube?: OpenKube;
  /** Hears the ports once questions are answered. */
  readonly onListening?: (ports: readonly number[]) => void;
}

const VERSION = "CoreDNS-1.14.6 (twill)";
/** What runs without a Corefile. */
const DEFAULT_COREFILE = "whoami\nlog\n";

/** Runs a DNS server from a Corefile until `signal` aborts; resolves with the exit code. Flags: `-conf FILE`,
 *  `-dns.port N`, `-quiet`, `-plugins`, `-version`. */
export async function runCoredns(argv: readonly string[], options: CorednsOptions): Promise<number> {
  const { signal, env, log } = options;
  try {
    const flags = parseCommandLine(argv);
    if (flags.wants !== "serve") {
      const plugins = CHAIN.map(({ name }) => `dns.${name}`).join("\n");
      process.stdout.write(`${flags.wants === "version" ? VERSION : plugins}\n`);
      return 0;
    }
    const end = Promise.withResolvers<number>();
    signal.addEventListener("abort", () => end.resolve(0), { once: true });
    await using server = await openServer({
      file: flags.file ?? "Corefile",
      ...(flags.file === undefined ? { fallbackText: `.:${flags.port}\n${DEFAULT_COREFILE}` } : {}),
      defaultPort: flags.port,
      env,
      log,
      openKube: options.openKube ?? openKubeFor(env),
      fatal: (reason) => {
        log.error(reason);
        end.resolve(1);
      },
    });
    if (!flags.isQuiet) log.info(VERSION, { ports: server.ports.join(",") });
    options.onListening?.(server.ports);
    const code = signal.aborted ? 0 : await end.promise;
    if (code === 0) await server.beforeStop();
    return code;
  } catch (error) {
    if (!isFault(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}
