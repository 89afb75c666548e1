import { rcodeName, TYPE, typeName } from "#wire/dns/numbers";
import { Histogram, sample } from "../../metrics.ts";
import type { PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import type { Sent } from "../../reply.ts";

const NAMED_TYPES = new Set<number>(
  "A AAAA CNAME DNSKEY DS MX NSEC3 NSEC NS PTR RRSIG SOA SRV TXT HTTPS SVCB IXFR AXFR ANY"
    .split(" ")
    .map((name) => TYPE[name as keyof typeof TYPE]),
);
const DURATIONS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
const SIZES = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];

export interface Counts {
  note(query: Query, sent: Sent, replyBytes: number, seconds: number): void;
}

/** The four families that every dashboard of CoreDNS reads, for one server block. */
export function openCounts({ metrics, server, signal }: PluginHost, zone: string): Counts {
  const labels = { server, zone, view: "" };
  const requests = new Map<number, number>();
  const responses = new Map<string, Map<number, number>>();
  const duration = new Histogram(DURATIONS);
  const sizes = { udp: sizePair(), tcp: sizePair() };
  const protocols = ["udp", "tcp"] as const;
  const collect = (
    name: string,
    help: string,
    type: "counter" | "histogram",
    lines: (name: string) => Iterable<string>,
  ) => metrics.collect(name, help, type, () => lines(name), signal);
  collect("coredns_dns_requests_total", "Questions.", "counter", (name) =>
    [...requests].map(([key, count]) => sample(name, { ...labels, ...readRequestKey(key) }, count)),
  );
  collect("coredns_dns_responses_total", "Answers.", "counter", (name) =>
    [...responses].flatMap(([plugin, codes]) =>
      [...codes].map(([rcode, count]) => sample(name, { ...labels, rcode: rcodeName(rcode), plugin }, count)),
    ),
  );
  collect("coredns_dns_request_duration_seconds", "Time to answer.", "histogram", (name) =>
    duration.lines(name, labels),
  );
  for (const side of ["request", "response"] as const) {
    collect(`coredns_dns_${side}_size_bytes`, `Size of a ${side}.`, "histogram", (name) =>
      protocols.flatMap((proto) => [...sizes[proto][side].lines(name, { ...labels, proto })]),
    );
  }
  return {
    note(query, { reply, by }, replyBytes, seconds) {
      bump(requests, requestKey(query));
      const codes = responses.get(by) ?? new Map<number, number>();
      if (codes.size === 0) responses.set(by, codes);
      bump(codes, reply.rcode);
      duration.observe(seconds);
      const { request, response } = sizes[query.peer.protocol];
      request.observe(query.message.length);
      response.observe(replyBytes);
    },
  };
}

const sizePair = () => ({ request: new Histogram(SIZES), response: new Histogram(SIZES) });

function bump(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Type, protocol and family of the client in one number. */
function requestKey({ question, peer }: Query): number {
  const type = NAMED_TYPES.has(question.type) ? question.type : 0;
  return (type << 2) | (peer.protocol === "tcp" ? 2 : 0) | (peer.address.includes(":") ? 1 : 0);
}

function readRequestKey(key: number): { proto: string; family: string; type: string } {
  return {
    proto: key & 2 ? "tcp" : "udp",
    family: key & 1 ? "2" : "1",
    type: key >> 2 === 0 ? "other" : typeName(key >> 2),
  };
}
