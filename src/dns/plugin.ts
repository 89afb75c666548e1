import type { KubeClient } from "#kube/client";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";

import type { Name } from "#wire/dns/name";
import { CorefileFault } from "./corefile/fault.ts";
import type { Directive } from "./corefile/parse.ts";
import type { HttpDoors } from "./listen.ts";
import type { ServerMetrics } from "./metrics.ts";
import type { KubeAccess } from "./plugins/kubernetes/config.ts";
import type { Query } from "./query.ts";
import type { Sent } from "./reply.ts";

/** What comes back for a query. Without a promise wherever nothing has to be waited for: that is most of the time. */
export type Answer = (query: Query) => Sent | Promise<Sent>;
/** One link of the chain: it may answer, pass on, or amend what comes back; it does not know what stands above it. */
export type Link = (query: Query, next: Answer) => Sent | Promise<Sent>;

/** What a plugin knows about the block it stands in when its lines are read. */
export interface BlockPlace {
  readonly zones: readonly Name[];
  readonly port: number;
  /** The folder that relative file names count from. */
  readonly folder: string;
}

export type OpenKube = (access: KubeAccess) => Promise<KubeClient & Partial<AsyncDisposable>>;

/** What a plugin is given to run with. */
export interface PluginHost extends BlockPlace {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the plugin's server is replaced or ends. */
  readonly signal: AbortSignal;
  /** The server's label in metrics: `dns://:53`. */
  readonly server: string;
  readonly metrics: ServerMetrics;
  readonly http: HttpDoors;
  /** Asks this server's own chain, from its top. */
  readonly resolve: (name: Name, type: number, like: Query) => Promise<Sent>;
  /** Sends a question to this server from outside, as a client would, for `loop`. */
  readonly askSelf: (name: Name, type: number) => Promise<void>;
  /** Plugins of every block that are not ready yet, by name. */
  readonly unready: () => readonly string[];
  /** Opens the API that `kubernetes` reads. */
  readonly openKube: OpenKube;
  /** Takes over a changed Corefile, if it is changed and good. */
  readonly checkCorefile: () => Promise<void>;
  /** Ends the whole program with this reason. */
  readonly fatal: (reason: string) => void;
}

export interface OpenPlugin {
  readonly link?: Link;
  readonly isReady?: () => boolean;
  /** Waited for on the way out while questions are still answered. */
  readonly beforeStop?: () => Promise<void>;
}

/** A plugin's lines in one block, read and checked; opening is the only step with effects. */
export type Opener = (host: PluginHost) => OpenPlugin | Promise<OpenPlugin>;

export interface Plugin {
  readonly name: string;
  /** Whether a block may have it more than once. */
  readonly isRepeatable?: boolean;
  /** @throws {CorefileFault} */
  readonly configure: (directives: readonly [Directive, ...Directive[]], block: BlockPlace) => Opener;
}

/** The plugin does not know this line of its block. */
export function unknownProperty({ name }: { name: string }, line: Directive): CorefileFault {
  return new CorefileFault(line, `plugin/${name}: unknown property '${line.name}'`);
}

/** The one argument of a line. @throws {CorefileFault} */
export function oneArgument(line: Directive): string {
  const [only] = line.args;
  if (only === undefined || line.args.length !== 1)
    throw new CorefileFault(line, `wrong argument count or unexpected line ending after '${line.name}'`);
  return only;
}

/** @throws {CorefileFault} */
export function noArguments(line: Directive): void {
  const [first] = line.args;
  if (first !== undefined) throw new CorefileFault(line, `${line.name} takes no arguments, found '${first}'`);
}

/** A whole number within bounds. @throws {CorefileFault} */
export function wholeNumber(line: Directive, text: string | undefined, from: number, to: number): number {
  const value = /^\d+$/.test(text ?? "") ? Number(text) : Number.NaN;
  if (!(value >= from && value <= to))
    throw new CorefileFault(
      line,
      `${line.name} has to be a whole number from ${from} to ${to}, not '${text ?? ""}'`,
    );
  return value;
}
