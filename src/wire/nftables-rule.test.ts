import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { decodeChain, decodeRule, type NftExpression } from "./nftables-rule.ts";
import { decodeIsInterval, decodeSetElements, type NftSetElement, rangesOf } from "./nftables-set.ts";
import { WireError } from "./wire-error.ts";

const inflated = (text: string) => Uint8Array.from(inflateRawSync(Buffer.from(text, "base64")));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Messages of a kernel, deflated. */
const CHAIN = "LYlBCoAwDAQnUeOiHv2ihYIn6e89RFrcywyzBh4YDQgmCnDg/POTGWHDhZOZr1jGubNS6t2uB8TWk4nojA8=";
const PLAIN_CHAIN = "Y2RgYGJjYGQoYWBg4GBgZihPTWLgYWBigAJGDgY2EM0EAA==";
/** `ct state new ip saddr { 10.0.0.0/8, 1.2.3.4-1.2.3.9 } accept` */
const NEW_FROM =
  "hY+xbsIwFEXPNUnqqlbboWMHBkYGBkY+of+AArhSVKJEwgix8emVH0Qg0QpPfva5974rcBUiARWObyAw4nLKkwrGiCfEOsEHDo/ynzzOoC9EQKyadGh2kcU9I3/2LDyVaQKFMd7u5cAztTexbnvGf/jk3QZ2gnhGtDHVeT7vZtzboHvgZ11LZNP80qOvj9uu3jD5v0fwFNZnhnhBbLvuZ99jGXleLncxzeCqKy0v86+Ipm3jpqlTBD6vObzjCDe5vw==";
/** `tcp dport vmap { ... }` */
const BY_PORT =
  "ZY47EsIwEEOfljiYwQUFB6BIQUFBQcFtMh4+DcnERSi4HUdj7CQV20ir1WoksBoxAjXGEwismGcdqBfuvlQ0iA2if4wxi3sMj2W68yijTojMb33iUO6TPvtKvkMl+YIIiBQ/3RDvNP9+81Mf81QFr4gtohuG1zvBESt72/YxnVn6aP7D4wr+AA==";
/** `ip6 saddr fe80::/10 ip6 daddr != fe80::1 reject` */
const LOCAL6 =
  "lZE9CsJAEIW/2fy4akCLFCktUqa08CBeIMYIisGgAbHzUB7Ak6nsJgHjD+JrZngzb2YeI6B8hArwUayAAIcGOsBv895FXGKEPkKRV6khQxQaZdKRRkyUBMHkWVEysfWab/rsfA9hAEwRAoQyPW136ZL4vV90fY/WuCaOl41msa6O60PO/LtmrJv7I1xChPuVDiI8y79i9uQh+eAhwrG627mr+8NP1Pr5sUu+7BLziyHCPt/kWdX+ovbioez0Bw==";
/** `iifname @names fib daddr type local counter return` */
const NAMED =
  "XY6xDsIwDESfU6hSiBADIwMDAwMDv1QglSpIW0H79QxFTgNCePHZfj6dgMkReiDHUAGOjFSFI/9oa2XGHqFACL4vdbnBYDEqc4tolxPCEuHetrehgx2GBUJTBv9Uo4kXyzwaHxD0t6rPbKOfpHvkMjvlMcfEXUIXPf+4mFt3OinrlG2HpveP6OsmPrHmqzXvCqEOwV/rsvfwm4N1/J3mcRxfbw==";
/** `limit rate 5/second meta mark set 5 drop` */
const LIMITED =
  "bY4xDsIwDEXfT5sqrSLEwMDAyMjAwBG4SCWCFIlsOSTHQkkTdcGLv/3tZwvMhMjAhOENeAZaLJ6p6/nLyBOxID4xxbLzwOBRn7Ee07XcxrGOsTYctuYb4oCIKYVXXHMAzhjcxpFvukxfETMihbwW81S9emNofN3/8C47j2P9ca9/";
/** `tcp dport != 1-1024 accept` */
const HIGH_PORTS =
  "ZY8xC8JADIW/xFrOekgHRweHjh0cHP0zh61S8LRIF/+3P0ByrSg0BPJ4yXtJBDRHGIAc5QJ4Fkyx9uRfXLzJqBBWCLEdgpFbFIcaLB1iVWoEw+fYs0/9kZ/mkv8SSc5HBI/Qh9ftERqq+by68R51ZKmeEAqEZ7hfW6Cea8R22F+WnixhUx8QNghdjG3ThcH0u5+eEsX/+X0A";
const SET_HEAD =
  "LYzBCYAwEAQn56kRIwgG7MD3IQjpJi9tQB+WL5HMZ2B3WQfS4XiAESHn+3wMAjMV9TTFvUer2z/fmEAFEHVAE9EecAENxTr+B4EBT1nQrizYe1XSfliy08ATSy8f";
const SET_PAGES = [
  "bcwxCoAwEADBuUQkJBaWPsMfpbKzM//HNoLtMmyQVmGgSXp/rnFyyw5hE4rQUGSIfeqVj4uU65+LlJfZmX4v",
  "Y2RgYGJjYGQoYWBg4GZgYoiPL04tMWBgYGFgZgAA",
];

/** An expression in few words. */
function brief(expression: NftExpression): string {
  switch (expression.kind) {
    case "payload":
      return `load ${expression.base}+${expression.offset}:${expression.length} to ${expression.to}`;
    case "meta":
    case "ct":
      return `${expression.kind} ${expression.key} to ${expression.to}`;
    case "bitwise":
      return `mask ${hex(expression.mask)}`;
    case "cmp":
      return `cmp ${expression.op} ${hex(expression.value)}`;
    case "range":
      return `${expression.inverted ? "not " : ""}${hex(expression.low)}-${hex(expression.high)}`;
    case "lookup":
      return `${expression.decides ? "vmap" : "in"} ${expression.set}`;
    case "fib":
      return `fib ${expression.result}/${expression.flags}`;
    case "verdict":
      return expression.verdict.kind;
    case "match":
    case "target":
    case "other":
      return `${expression.kind} ${expression.name}`;
    default:
      return expression.kind;
  }
}

const rules = [
  {
    is: NEW_FROM,
    says: [
      "ct 0 to 0",
      "mask 08000000",
      "cmp 1 00000000",
      "meta 15 to 0",
      "cmp 0 02",
      "load 1+12:4 to 0",
      "in __set0",
      "accept",
    ],
  },
  { is: BY_PORT, says: ["meta 16 to 0", "cmp 0 06", "load 2+2:2 to 0", "vmap __map0"] },
  {
    is: LOCAL6,
    says: [
      "meta 15 to 0",
      "cmp 0 0a",
      "load 1+8:16 to 0",
      "mask ffc00000000000000000000000000000",
      "cmp 0 fe800000000000000000000000000000",
      "load 1+24:16 to 0",
      "cmp 1 fe800000000000000000000000000001",
      "reject",
    ],
  },
  { is: NAMED, says: ["meta 6 to 0", "in names", "fib 3/2", "cmp 0 02000000", "other counter", "return"] },
  { is: LIMITED, says: ["other limit", "other immediate", "other meta", "drop"] },
  {
    is: HIGH_PORTS,
    says: ["meta 16 to 0", "cmp 0 06", "load 2+2:2 to 0", "not 0001-0400", "accept"],
  },
];

test("reads chains", () => {
  assert.deepEqual(decodeChain(inflated(CHAIN)), {
    family: "inet",
    table: "t",
    chain: "f",
    handle: 2,
    base: { hook: "forward", type: "filter", priority: -5, policy: "drop" },
  });
  assert.deepEqual(decodeChain(inflated(PLAIN_CHAIN)), {
    family: "inet",
    table: "t",
    chain: "web",
    handle: 1,
    base: undefined,
  });
});

test("reads rules, each expression in its order", () => {
  for (const { is, says } of rules) {
    const rule = decodeRule(inflated(is));
    assert.deepEqual(rule?.expressions.map(brief), says);
    assert.equal(`${rule?.family} ${rule?.table} ${rule?.chain}`, "inet t f");
  }
});

test("reads a set of intervals, and pairs starts with ends", () => {
  const isInterval = decodeIsInterval(inflated(SET_HEAD));
  const elements = SET_PAGES.slice(0, 1).flatMap((page) => decodeSetElements(inflated(page)));
  const ranges = rangesOf(elements, isInterval).map(({ low, high }) => `${hex(low)}-${hex(high)}`);
  assert.deepEqual(ranges, ["01020304-01020309", "0a000000-0affffff"]);
});

test("values of sets", () => {
  const element = (key: readonly number[], more: Partial<NftSetElement> = {}): NftSetElement => ({
    key: Uint8Array.from(key),
    keyEnd: undefined,
    isEnd: false,
    isCatchAll: false,
    verdict: undefined,
    ...more,
  });
  const shown = (elements: readonly NftSetElement[], isInterval: boolean) =>
    rangesOf(elements, isInterval).map(({ low, high }) => `${hex(low)}-${hex(high)}`);
  assert.deepEqual(shown([element([7]), element([9])], false), ["07-07", "09-09"]);
  assert.deepEqual(shown([element([5])], true), ["05-ff"], "the last one reaches the end");
  assert.deepEqual(
    shown([element([8], { isEnd: true }), element([8]), element([2]), element([1, 0])], true).slice(-1),
    ["08-ff"],
  );
  assert.deepEqual(shown([element([1], { keyEnd: Uint8Array.of(4) })], false), ["01-04"]);
  assert.deepEqual(shown([element([3]), element([], { isCatchAll: true })], false), ["03-03", "00-ff"]);
  assert.deepEqual(shown([], true), []);
});

test("damaged messages are refused as such, or read as something", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % below;
  };
  const all = [CHAIN, PLAIN_CHAIN, SET_HEAD, ...SET_PAGES, ...rules.map(({ is }) => is)].map(inflated);
  for (let i = 0; i < 6000; i++) {
    const whole = all[i % all.length] ?? new Uint8Array();
    const damaged = whole.slice(0, i % 4 === 0 ? random(whole.length) : whole.length);
    for (let n = 0; n < 2 && damaged.length > 0; n++) damaged[random(damaged.length)] = random(256);
    for (const decode of [decodeChain, decodeRule, decodeIsInterval, decodeSetElements])
      try {
        const read = decode(damaged);
        if (Array.isArray(read)) rangesOf(read, i % 2 === 0);
      } catch (error) {
        assert.ok(error instanceof WireError, `case ${i}: ${String(error)}`);
      }
  }
});
