import type { KubeClient } from "#kube/client";
import { openFakeClient } from "#kube/fake/client";
import { type Clock, systemClock } from "#life/clock";
import { type Logger, silentLog } from "#telemetry/log";
import { decodeMessage } from "#wire/dns/message";
import { FLAG, rcodeName, typeNumber } from "#wire/dns/numbers";
import { formatRecord } from "#wire/dns/zone-line";
import { parseCorefile } from "../corefile/parse.ts";
import { encodeQuestion } from "../encode-question.ts";
import { type Generation, openGeneration } from "../generation.ts";
import { openHandler } from "../handler.ts";
import type { AnswerMessage } from "../listen.ts";
import { ServerMetrics } from "../metrics.ts";
import { planSites } from "../plan.ts";
import type { Peer } from "../query.ts";
import { ZoneTable } from "../zone-table.ts";

/** A reply in zone notation. */
export interface Answered {
  readonly rcode: string;
  /** Names of the header's bits: `aa ra`. */
  readonly flags: string;
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly bytes: Buffer;
}

/** Every plugin of a Corefile behind its handler, without sockets: for asking in tests. */
export interface Bench extends AsyncDisposable {
  /** Asks `name TYPE`, such as `web.default.svc.cluster.local. A`. */
  ask(question: string, peer?: Partial<Peer>): Promise<Answered>;
  readonly answer: AnswerMessage;
  readonly generation: Generation;
  readonly metrics: ServerMetrics;
  readonly fatal: readonly string[];
}

export interface BenchOptions {
  readonly client?: KubeClient;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly random?: () => number;
}

const PEER: Peer = { protocol: "udp", address: "10.42.0.9", port: 4053, localAddress: "" };

/** Opens the one server block in `corefile`, which has to be on port 53. */
export async function openBench(corefile: string, options: BenchOptions = {}): Promise<Bench> {
  const { client = openFakeClient(), clock = systemClock, log = silentLog, random = Math.random } = options;
  const parsed = parseCorefile(corefile, "Corefile", { env: {}, readFile: missing, listFolder: () => [] });
  const metrics = new ServerMetrics();
  const fatal: string[] = [];
  const generation = await openGeneration(planSites(parsed, { defaultPort: 53 }), {
    log,
    clock,
    random,
    env: {},
    metrics,
    http: { serve: async () => {} },
    openKube: async () => client,
    checkCorefile: async () => {},
    askDoor: async () => {},
    fatal: (reason) => fatal.push(reason),
  });
  const sites = generation.sites.get("*|53") ?? [];
  const answer = openHandler(new ZoneTable(sites), {
    random,
    onPanic: (error) => {
      throw error;
    },
  });
  return {
    answer,
    generation,
    metrics,
    fatal,
    ask: async (question, peer) => read(await answer(encodeAsked(question), { ...PEER, ...peer })),
    [Symbol.asyncDispose]: async () => generation[Symbol.dispose](),
  };
}

function encodeAsked(question: string): Buffer {
  const [name = ".", type = "A"] = question.split(" ");
  const number = typeNumber(type);
  if (number === undefined) throw new Error(`no type ${type}`);
  return encodeQuestion(name, number, { id: 7, flags: FLAG.RD });
}

function read(bytes: Buffer | undefined): Answered {
  if (bytes === undefined) throw new Error("there is no reply");
  const message = decodeMessage(bytes);
  const flags = (["AA", "TC", "RA", "AD", "CD"] as const).filter(
    (name) => (message.flags & FLAG[name]) !== 0,
  );
  return {
    rcode: rcodeName(message.rcode),
    flags: flags.join(" ").toLowerCase(),
    answers: message.answers.map(formatRecord),
    authority: message.authority.map(formatRecord),
    additional: message.additional.map(formatRecord),
    bytes,
  };
}

function missing(path: string): never {
  throw new Error(`no file ${path}`);
}
