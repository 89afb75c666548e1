/** A table beside the program that only looks: which packets came into the node or out of its programs, and which of them left it
 *  or were delivered, translated or not. A packet that came in and went nowhere was dropped, however long its sender waits. */
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { type Ip, ipFromBytes } from "#addr/ip";
import type { Nft } from "#kernel/kernel";
import { PROTOCOLS as NUMBERS } from "#service/model";
import type { Protocol } from "./cases.ts";

const TABLE = "twt-witness";
const SIZE = 65_536;

export type Seen = "in" | "left" | "translated";

export class Witness implements Disposable {
  readonly #nft: Nft;

  constructor(nft: Nft) {
    this.#nft = nft;
    nft.run(FAMILIES.map(textOf).join(""));
  }

  /** Names of the packets that were seen so, as `flowName`. */
  seen(what: Seen, family: Family): ReadonlySet<string> {
    const { nft, bytes } = FAMILY[family];
    const elements = this.#nft.listElements({ family: nft, table: TABLE, set: what });
    return new Set(
      elements.map(({ key }) => {
        const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
        return `${ipFromBytes(key.subarray(0, bytes))} ${view.getUint8(bytes)} ${view.getUint16(bytes + 4)}`;
      }),
    );
  }

  [Symbol.dispose](): void {
    for (const family of FAMILIES) this.#nft.run(`delete table ${FAMILY[family].nft} ${TABLE}`);
  }
}

/** A packet's name: who sent it, by what protocol, from which port. */
export function flowName(source: Ip, protocol: Protocol, port: number): string {
  return `${source} ${NUMBERS[protocol]} ${port}`;
}

function textOf(family: Family): string {
  const { nft, addr } = FAMILY[family];
  const set = (name: Seen) =>
    `  set ${name} { type ${addr} . inet_proto . inet_service; flags dynamic; size ${SIZE}; }\n`;
  const first = `${nft} saddr . meta l4proto . th sport`;
  const original = `ct original ${nft} saddr . meta l4proto . ct original proto-src`;
  const look = (name: string, hook: string, rules: readonly string[]) =>
    `  chain ${name} { type filter hook ${hook};\n${rules.map((rule) => `    meta l4proto { tcp, udp } ${rule}\n`).join("")}  }\n`;
  const leaving = [
    `ct direction original ct status dnat update @translated { ${original} }`,
    `ct direction original update @left { ${original} }`,
  ];
  return [
    `table ${nft} ${TABLE} {\n`,
    set("in"),
    set("left"),
    set("translated"),
    look("before", "prerouting priority -300", [`update @in { ${first} }`]),
    look("own", "output priority -300", [`update @in { ${first} }`]),
    look("after", "postrouting priority 300", leaving),
    look("delivered", "input priority 300", leaving),
    "}\n",
  ].join("");
}
