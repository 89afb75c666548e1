import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { isIp } from "#addr/ip";
import { parseDuration } from "#life/duration";
import type { Name } from "#wire/dns/name";
import { RCODE } from "#wire/dns/numbers";
import { parseZones } from "../../corefile/address.ts";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import type { Target } from "../../dial.ts";
import { type BlockPlace, oneArgument, unknownProperty, wholeNumber } from "../../plugin.ts";

export type Policy = "random" | "round_robin" | "sequential";

export interface ForwardConfig {
  readonly from: Name;
  readonly targets: readonly Target[];
  readonly except: readonly Name[];
  readonly policy: Policy;
  /** Failures in a row after which a server counts as down; 0 for never. */
  readonly maxFails: number;
  readonly probeMs: number;
  readonly forcesTcp: boolean;
  readonly prefersUdp: boolean;
  /** 0 for no limit. */
  readonly maxConcurrent: number;
  readonly readTimeoutMs: number;
  /** Codes after which the next `forward` of the block is asked, and those that count as failure of the server. */
  readonly nextCodes: readonly number[];
  readonly failoverCodes: readonly number[];
  readonly failsFast: boolean;
}

type Draft = { -readonly [K in keyof ForwardConfig]: ForwardConfig[K] };

const MAX_TARGETS = 15;
const POLICIES: readonly Policy[] = ["random", "round_robin", "sequential"];
/** Lines that are understood but change nothing here: connections are not kept long enough to matter. */
const ACCEPTED = new Set([
  "expire",
  "max_idle_conns",
  "max_age",
  "tls",
  "max_connect_attempts",
  "source_address",
  "resolver",
  "doh_method",
  "next_on_nodata",
]);

export function parseForward(directive: Directive, { folder }: BlockPlace): ForwardConfig {
  const [from, ...to] = directive.args;
  if (from === undefined || to.length === 0)
    throw new CorefileFault(
      directive,
      "forward needs a zone and at least one server: forward . /etc/resolv.conf",
    );
  const draft: Draft = {
    from: parseZones(from, directive)[0] ?? ".",
    targets: to.flatMap((word) => parseTarget(word, directive, folder)),
    except: [],
    policy: "random",
    maxFails: 2,
    probeMs: 500,
    forcesTcp: false,
    prefersUdp: false,
    maxConcurrent: 0,
    readTimeoutMs: 2000,
    nextCodes: [],
    failoverCodes: [],
    failsFast: false,
  };
  if (draft.targets.length > MAX_TARGETS)
    throw new CorefileFault(
      directive,
      `more than ${MAX_TARGETS} servers configured: ${draft.targets.length}`,
    );
  for (const line of directive.body) readLine(directive, line, draft);
  return draft;
}

function readLine(directive: Directive, line: Directive, draft: Draft): void {
  switch (line.name) {
    case "except":
      draft.except = [...draft.except, ...line.args.flatMap((word) => parseZones(word, line))];
      return;
    case "policy":
      draft.policy = parsePolicy(line);
      return;
    case "max_fails":
      draft.maxFails = wholeNumber(line, oneArgument(line), 0, 2 ** 31);
      return;
    case "max_concurrent":
      draft.maxConcurrent = wholeNumber(line, oneArgument(line), 0, 2 ** 31);
      return;
    case "health_check":
      draft.probeMs = durationOf(line, line.args[0]);
      return;
    case "read_timeout":
      draft.readTimeoutMs = durationOf(line, oneArgument(line));
      return;
    case "force_tcp":
      draft.forcesTcp = true;
      return;
    case "prefer_udp":
      draft.prefersUdp = true;
      return;
    case "failfast_all_unhealthy_upstreams":
      draft.failsFast = true;
      return;
    case "tls_servername":
      draft.targets = draft.targets.map((target) =>
        target.tlsName === "" ? { ...target, tlsName: oneArgument(line) } : target,
      );
      return;
    case "next":
      draft.nextCodes = codesOf(line);
      return;
    case "failover":
      draft.failoverCodes = codesOf(line);
      return;
    default:
      if (!ACCEPTED.has(line.name)) throw unknownProperty(directive, line);
  }
}

function parsePolicy(line: Directive): Policy {
  const word = oneArgument(line);
  const policy = POLICIES.find((each) => each === word);
  if (policy === undefined) throw new CorefileFault(line, `unknown policy '${word}'`);
  return policy;
}

function codesOf(line: Directive): number[] {
  return line.args.map((word) => {
    const name = word.toUpperCase();
    if (!Object.hasOwn(RCODE, name)) throw new CorefileFault(line, `'${word}' is not a response code`);
    return RCODE[name as keyof typeof RCODE];
  });
}

function durationOf(line: Directive, text: string | undefined): number {
  const ms = parseDuration(text ?? "");
  if (ms === undefined || ms <= 0) throw new CorefileFault(line, `'${text ?? ""}' is not a duration`);
  return ms;
}

/** One server, or all of a file like resolv.conf. */
function parseTarget(word: string, line: Directive, folder: string): Target[] {
  const match =
    /^(?:(?<scheme>dns|tls):\/\/)?(?:\[(?<v6>[^\]]+)\]|(?<host>[^%[\]]*?))(?:%(?<name>[^:]+))?(?::(?<port>\d{1,5}))?$/.exec(
      word,
    );
  const bare = word.replace(/^(?:dns|tls):\/\//, "");
  const address = isIp(bare) ? bare : (match?.groups?.["v6"] ?? match?.groups?.["host"] ?? "");
  if (isIp(address)) {
    const isTls = word.startsWith("tls://");
    const port = isIp(bare) ? undefined : match?.groups?.["port"];
    const target: Target = { address, port: port === undefined ? (isTls ? 853 : 53) : Number(port) };
    return [isTls ? { ...target, tlsName: match?.groups?.["name"] ?? "" } : target];
  }
  if (/^[a-z0-9]+:\/\//.test(word))
    throw new CorefileFault(line, `${word}: only dns:// and tls:// servers can be asked`);
  return parseResolvConf(isAbsolute(word) ? word : join(folder, word), word, line);
}

function parseResolvConf(path: string, word: string, line: Directive): Target[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new CorefileFault(line, `not an IP address or file: "${word}"`);
  }
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(
    (match) => (match[1] ?? "").split("%", 1)[0] ?? "",
  );
  const known = servers.filter((server) => isIp(server));
  if (known.length === 0) throw new CorefileFault(line, `no nameservers found in ${word}`);
  return known.map((address) => ({ address, port: 53 }));
}
