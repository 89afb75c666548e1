import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFds } from "./fd.ts";
import type { NetKernel, NftElement } from "./kernel.ts";
import { NftError } from "./nft-error.ts";
import { openKernel } from "./open.ts";

const PATH = `/run/netns/twt-${process.pid}-nft`;
const SET = { family: "ip", table: "t", set: "frontends" } as const;
const frontend = (n: number): Uint8Array => Uint8Array.of(10, 43, n >> 8, n & 255, 6, 0, 0, 0, 0, 80, 0, 0);
const goto = (n: number): NftElement => ({
  key: frontend(n),
  data: { kind: "verdict", verdict: "goto", chain: "three" },
});

const kernel = openKernel();
let net: NetKernel;

before(() => {
  using ns = kernel.createNetns(PATH);
  net = kernel.openIn(ns);
  net.nft.run(`table ip t {
    map frontends { type ipv4_addr . inet_proto . inet_service : verdict; }
    set ranges { type ipv4_addr . ipv4_addr; flags interval; }
    chain three { }
  }`);
});

after(() => {
  net[Symbol.dispose]();
  kernel[Symbol.dispose]();
  kernel.deleteNetns(PATH);
  assert.deepEqual(openFds(), []);
});

test("text runs in the namespace of its handle, not in this thread's", () => {
  assert.match(net.nft.list("list tables"), /^table ip t$/m);
  assert.doesNotMatch(kernel.nft.list("list tables"), /^table ip t$/m);
});

test("refused text keeps nft's words and its caret", () => {
  assert.throws(
    () => net.nft.run("add rule ip t three bogus"),
    (error) => error instanceof NftError && error.code === "Syntax" && /\^/.test(error.text),
  );
  assert.throws(() => net.nft.run("delete table ip none"), { code: "ENOENT" });
});

test("a refused text changes nothing", () => {
  assert.throws(() => net.nft.run("add chain ip t four\nadd chain ip none five"));
  assert.doesNotMatch(net.nft.list("list table ip t"), /chain four/);
});

test("ten thousand elements go in as one transaction and are listed again", () => {
  const elements = Array.from({ length: 10_000 }, (_, n) => goto(n));
  net.nft.changeElements([{ op: "add", set: SET, elements }]);
  const sorted = (list: readonly NftElement[]) =>
    list.map(({ key, data }) => `${Buffer.from(key).toString("hex")} ${JSON.stringify(data)}`).sort();
  // Right after the change, while the kernel still enlarges the table. Compared as text: the difference of two long lists
  // takes assert minutes to word.
  assert.ok(sorted(net.nft.listElements(SET)).join("\n") === sorted(elements).join("\n"));
  net.nft.changeElements([{ op: "delete", set: SET, elements }]);
  assert.deepEqual(net.nft.listElements(SET), []);
});

test("an element is replaced within one transaction", () => {
  net.nft.changeElements([{ op: "add", set: SET, elements: [goto(1)] }]);
  const drop: NftElement = { key: frontend(1), data: { kind: "verdict", verdict: "drop" } };
  net.nft.changeElements([
    { op: "delete", set: SET, elements: [goto(1)] },
    { op: "add", set: SET, elements: [drop] },
  ]);
  assert.deepEqual(net.nft.listElements(SET), [drop]);
  net.nft.changeElements([{ op: "delete", set: SET, elements: [drop] }]);
});

test("elements with a range keep both ends", () => {
  const set = { ...SET, set: "ranges" };
  const element = {
    key: Uint8Array.of(10, 43, 0, 1, 192, 168, 0, 0),
    keyEnd: Uint8Array.of(10, 43, 0, 1, 192, 168, 255, 255),
  };
  net.nft.changeElements([{ op: "add", set, elements: [element] }]);
  assert.deepEqual(net.nft.listElements(set), [element]);
  net.nft.changeElements([{ op: "delete", set, elements: [element] }]);
});

const refusals = [
  {
    name: "deleting what is absent",
    ops: [{ op: "delete", set: SET, elements: [goto(5), goto(6)] }],
    message: 'Cannot delete element 0x0a2b00050600000000500000 of set "frontends" of table ip t: not found',
  },
  {
    name: "leading to a chain that is not there",
    ops: [
      {
        op: "add",
        set: SET,
        elements: [
          goto(7),
          { key: frontend(8), data: { kind: "verdict", verdict: "goto", chain: "none" } },
          goto(9),
        ],
      },
    ],
    message: 'Cannot add element 0x0a2b00080600000000500000 of set "frontends" of table ip t: not found',
  },
  {
    name: "a set that is not there",
    ops: [{ op: "add", set: { ...SET, set: "none" }, elements: [goto(5)] }],
    message: 'Cannot add elements of set "none" of table ip t: not found',
  },
] as const;

for (const { name, ops, message } of refusals)
  test(`${name} is refused by name, and nothing is changed`, () => {
    const good = { op: "add", set: SET, elements: [goto(4)] } as const;
    assert.throws(() => net.nft.changeElements([good, ...ops]), {
      name: "NftError",
      code: "ENOENT",
      message,
    });
    assert.deepEqual(net.nft.listElements(SET), []);
  });

test("a set that is not there cannot be listed", () => {
  assert.throws(() => net.nft.listElements({ ...SET, table: "none" }), { code: "ENOENT" });
});
