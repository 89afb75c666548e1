import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { FAMILIES } from "#addr/family";
import { WireError } from "./wire-error.ts";
import { chainsOf, encodeReplace, withoutEntries, type XtChain } from "./xtables-chain.ts";
import { decodeEntries, decodeTableInfo, XT_LAYOUT } from "./xtables-table.ts";

/** The table `filter` of a kernel: FORWARD drops; INPUT leads to KUBE-X, FORWARD goes to mine, KUBE-X leads to mine. */
const TABLES = {
  4: {
    info: "ZmlsdGVyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAOAAAA/////wAAAADwAgAAGAYAAP//////////WAIAAIAFAAAYBgAA/////xEAAAAIDQAA",
    entries:
      "49JiAIP//yF0cl6mAQMe8B8E8MgLQukFDCcYmLDIGzCUphQw4LdBQlFCEcbTYMAPEtgZaALYCPqjJBmfPxgZmBiYGZghTCL8MYGRNv6gRnxwMnDC9RLyRwQTA01BAcMMrP4g5K5/SMmWCy3NI4PUkgxtAukfTYRJAOYuFjLcdYOTtuFlwZjAiM1dJxiS8/PySooSk7OxaWNmGHQAlEE4SA7fFyy0T4/Y4z3I1cvVOQSXPloHMLnpkUDxThV3cVCYf2njrg1YxR0YXIOC/INw6vMOdXLVjaB/biC3HKR1eUOuu+iR7hjIcNfvQZrucjPzUumZ3mDtoQOMLxjZyGgPgWKYlYEVzlNgTM7PzU3NK8GhOi+/RCG/tKiYYYSCgS8PZzCwDaP8gl+WgQEA",
  },
  6: {
    info: "ZmlsdGVyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAOAAAA/////wAAAADQAQAA2AUAAP//////////AAEAAAgFAADYBQAA/////w8AAADADgAA",
    entries:
      "++vEgBf8hwCc8sl5mQYE9eORF2RgYISxbzAwMDLhUGfAUJpSQMClEooSijCeBn5vMUxgZxh0YAXDBQZc/ifkn384gvkvhfGbWpKhTUA/uhCLAJJ/WMj0zwuuwRc/BYwzGHH55wRDcn5eXklRYnI2NmnmwecbULbjIDleLFgGZ77Bnc6CXL1cnUNw6R2E3qEo3xAobgfMPxxULtcG1j8vcMo5MLgGBfkH4ZT3DnVy1Y1gGBKAkvpoMJbflPhnsOYrBjL983uY5avczLzUwZyX2JDauT8YFZjYcLZzS5IJtXNZGVjhPAXG5Pzc3NS8Ehyq8/JLFPJLi4oZRigYmvXLBQa20XwNBvhlGRgA",
  },
};

function read(family: 4 | 6) {
  const info = decodeTableInfo(Buffer.from(TABLES[family].info, "base64"));
  const entries = decodeEntries(family, inflateRawSync(Buffer.from(TABLES[family].entries, "base64")));
  return { info, entries, chains: chainsOf(info, entries) };
}

/** Each chain as a line: its name, its policy, what each rule asks and does. */
function shown(chains: readonly XtChain[]): readonly string[] {
  return chains.map(({ name, base, rules }) => {
    const each = rules.map(({ entry, action }) => {
      const to = "chain" in action ? ` ${action.chain}` : "";
      const target = action.kind === "extension" ? ` ${action.target.name}` : "";
      return `${entry.matches.map((match) => match.name).join("+")}>${action.kind}${to}${target}`;
    });
    return `${name} ${base?.policy ?? "-"}: ${each.join(" ")}`;
  });
}

for (const family of FAMILIES) {
  test(`chains of an IPv${family} table`, () => {
    const { info, chains } = read(family);
    assert.equal(info.name, "filter");
    assert.deepEqual(shown(chains).slice(1), [
      "FORWARD drop: >goto mine conntrack>none >extension REJECT",
      "OUTPUT accept: ",
      "KUBE-X -: >jump mine >drop",
      "mine -: tcp+comment>accept",
    ]);
    assert.match(shown(chains)[0] ?? "", /^INPUT accept: udp>jump KUBE-X/);
  });

  test(`an IPv${family} table without one of its chains keeps all other bytes`, () => {
    const { info, entries, chains } = read(family);
    const going = chains.find(({ name }) => name === "KUBE-X");
    const jump = chains[0]?.rules.find(({ action }) => "chain" in action && action.chain === "KUBE-X");
    assert.ok(going && jump);
    const gone = new Set([jump.entry.offset, ...going.entries.map(({ offset }) => offset)]);
    const rest = withoutEntries(family, info, entries, gone);
    const again = decodeEntries(family, rest.bytes);
    assert.equal(rest.info.entries, again.length);
    assert.equal(rest.replaces, entries.length);
    assert.equal(rest.counters.length, again.length * 16);
    const after = chainsOf({ ...rest.info, bytes: rest.bytes.length }, again);
    const without = (lines: readonly string[]) =>
      lines.filter((line) => !line.startsWith("KUBE-X")).map((line) => line.replace(/udp>jump KUBE-X ?/, ""));
    assert.deepEqual(without(shown(after)), without(shown(chains)));
    const head = XT_LAYOUT[family].end;
    const kept = entries.filter(({ offset }) => !gone.has(offset));
    for (const [i, { bytes }] of again.entries())
      assert.deepEqual(bytes.subarray(0, head), kept[i]?.bytes.subarray(0, head), `entry ${i}`);
    const message = encodeReplace(rest, 0x1234n);
    assert.deepEqual(message.subarray(96), Uint8Array.from(rest.bytes));
    assert.equal(Buffer.from(message).readBigUInt64LE(88), 0x1234n);
  });

  test(`a damaged IPv${family} table is refused as such, or read as something`, () => {
    const info = Buffer.from(TABLES[family].info, "base64");
    const whole = inflateRawSync(Buffer.from(TABLES[family].entries, "base64"));
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48271) % 0x7fffffff;
      return seed % below;
    };
    for (let i = 0; i < 2000; i++) {
      const entries = Buffer.from(i % 3 === 0 ? whole.subarray(0, random(whole.length)) : whole);
      for (let n = 0; n < 3 && entries.length > 0; n++) entries[random(entries.length)] = random(256);
      const head = Buffer.from(info);
      if (i % 2 === 0) head[32 + random(52)] = random(256);
      try {
        const table = decodeTableInfo(head);
        const read = decodeEntries(family, entries);
        chainsOf(table, read);
        withoutEntries(family, table, read, new Set([read[1]?.offset ?? 0]));
      } catch (error) {
        assert.ok(error instanceof WireError, `case ${i}: ${String(error)}`);
      }
    }
  });
}
