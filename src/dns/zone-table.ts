import type { Name } from "#wire/dns/name";
import { TYPE } from "#wire/dns/numbers";
import type { Question } from "#wire/dns/query";
import type { Answer } from "./plugin.ts";

/** What answers for one zone on one port. */
export interface Site {
  readonly zone: Name;
  readonly answer: Answer;
  /** Classes other than IN are forwarded too. */
  readonly takesEveryClass: boolean;
}

/** Finds who answers a name: the site with the longest zone above it. */
export class ZoneTable {
  readonly #sites: ReadonlyMap<Name, Site>;
  readonly #root: Site | undefined;

  constructor(sites: readonly Site[]) {
    this.#sites = new Map(sites.map((site) => [site.zone, site]));
    this.#root = this.#sites.get(".");
  }

  find({ name, type }: Question): Site | undefined {
    if (this.#sites.size === 1 && this.#root !== undefined) return this.#root;
    let child: Site | undefined;
    for (let suffix = name; suffix !== "" && suffix !== "."; suffix = suffix.slice(suffix.indexOf(".") + 1)) {
      const site = this.#sites.get(suffix);
      if (site === undefined) continue;
      // A zone's DS record lives with its parent.
      if (type !== TYPE.DS || suffix !== name) return site;
      child = site;
    }
    return this.#root ?? child;
  }
}
