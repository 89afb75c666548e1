import { readFileSync, statSync } from "node:fs";
import { ticks } from "#life/clock";
import { zoneOf } from "#wire/dns/name";
import { RCODE, TYPE } from "#wire/dns/numbers";
import { addressRecord, nameRecord, type ResourceRecord } from "#wire/dns/record";
import { sample } from "../../metrics.ts";
import type { Link, Plugin, PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import { bare, Reply, type Sent } from "../../reply.ts";
import { type HostsConfig, parseHosts } from "./config.ts";
import { type HostsTable, lookupHost, ofFamily, parseHostsTable } from "./table.ts";

/** Answers from a file of addresses and names, which it reads again when it changes. */
export const hosts: Plugin = {
  name: "hosts",
  configure([directive], block) {
    const config = parseHosts(directive, block);
    return (host) => {
      const file = new HostsFile(config, host);
      void file.watch();
      return { link: hostsLink(config, () => file.table) };
    };
  },
};

function hostsLink(config: HostsConfig, table: () => HostsTable): Link {
  return (query, next) => {
    const { name, type } = query.question;
    // An address in the file is answered for even where its reverse zone is not served.
    if (type === TYPE.PTR && config.hasReverse) {
      const pointers = pointersOf(query, config, table());
      return pointers.length === 0 ? next(query) : answer(pointers);
    }
    if (zoneOf(name, config.zones) === undefined) return next(query);
    const ips = lookupHost(table(), name);
    if (ips === undefined)
      return config.fallthrough.covers(name) ? next(query) : bare(RCODE.SERVFAIL, "hosts");
    const family = type === TYPE.A ? 4 : type === TYPE.AAAA ? 6 : undefined;
    const found = family === undefined ? [] : ofFamily(ips, family);
    return answer(found.map((ip) => addressRecord(name, config.ttl, ip)));
  };
}

function pointersOf({ question }: Query, { ttl }: HostsConfig, { byReverse }: HostsTable): ResourceRecord[] {
  const names = byReverse.get(question.name) ?? [];
  return names.map((name) => nameRecord(question.name, TYPE.PTR, ttl, name));
}

function answer(answers: readonly ResourceRecord[]): Sent {
  return { reply: new Reply({ answers, isAuthoritative: true }), by: "hosts" };
}

/** The table of the file and of the lines in the Corefile. */
class HostsFile {
  readonly #config: HostsConfig;
  readonly #host: PluginHost;
  #seen = "";
  table: HostsTable;

  constructor(config: HostsConfig, host: PluginHost) {
    this.#config = config;
    this.#host = host;
    this.table = parseHostsTable(config.inline);
    this.#read();
    const name = "coredns_hosts_entries";
    const count = () => [sample(name, {}, this.table.byName.size + this.table.byReverse.size)];
    host.metrics.collect(name, "Names and addresses in the hosts file.", "gauge", count, host.signal);
  }

  async watch(): Promise<void> {
    const { clock, signal } = this.#host;
    if (this.#config.reloadMs === 0) return;
    for await (const _ of ticks(clock, this.#config.reloadMs, { signal })) this.#read();
  }

  #read(): void {
    const { file, inline } = this.#config;
    try {
      const { mtimeMs, size } = statSync(file);
      const version = `${mtimeMs} ${size}`;
      if (version === this.#seen) return;
      this.table = parseHostsTable(`${inline}\n${readFileSync(file, "utf8")}`);
      this.#seen = version;
    } catch (error) {
      // Said once: a file that is not there yet may come.
      if (this.#seen !== "gone") this.#host.log.warn("cannot read the hosts file", { file, error });
      this.#seen = "gone";
    }
  }
}
