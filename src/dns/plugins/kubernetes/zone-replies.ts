import { type Name, nameKey } from "#wire/dns/name";
import { RCODE } from "#wire/dns/numbers";
import { type ResourceRecord, soaRecord } from "#wire/dns/record";
import { Reply } from "../../reply.ts";

const REFRESH = { refresh: 7200, retry: 1800, expire: 86_400 };
const MAX_SOA_TTL = 300;

/** The replies that say "nothing here", one for the whole zone until its serial moves on. */
export class ZoneReplies {
  readonly #zone: Name;
  readonly #ttl: number;
  #serial = -1;
  #noData: Reply | undefined;
  #noName: Reply | undefined;

  constructor(zone: Name, ttl: number) {
    this.#zone = zone;
    this.#ttl = ttl;
  }

  soa(serial: number): ResourceRecord {
    const suffix = this.#zone === "." ? "" : this.#zone;
    return soaRecord(this.#zone, Math.min(this.#ttl, MAX_SOA_TTL), {
      mname: nameKey(`ns.dns.${suffix}`),
      rname: nameKey(`hostmaster.${suffix}`),
      serial,
      ...REFRESH,
      minimum: this.#ttl,
    });
  }

  /** The name exists without records of this type. */
  noData(serial: number): Reply {
    this.#renew(serial);
    this.#noData ??= this.#negative(serial, RCODE.NOERROR);
    return this.#noData;
  }

  /** The name does not exist. */
  noName(serial: number): Reply {
    this.#renew(serial);
    this.#noName ??= this.#negative(serial, RCODE.NXDOMAIN);
    return this.#noName;
  }

  #renew(serial: number): void {
    if (serial === this.#serial) return;
    this.#serial = serial;
    this.#noData = undefined;
    this.#noName = undefined;
  }

  #negative(serial: number, rcode: number): Reply {
    const authority = [this.soa(serial)];
    return new Reply({ rcode, authority, zone: this.#zone, isAuthoritative: true, isLive: true });
  }
}
