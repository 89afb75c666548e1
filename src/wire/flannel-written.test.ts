/** What flannel 0.28.10 wrote on its Nodes, backend by backend and family by family, as a cluster showed it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { formatFlannelNode, readFlannelNode } from "./flannel-annotations.ts";

interface Written {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const written = JSON.parse(
  readFileSync(new URL("./testdata/flannel-annotations.json", import.meta.url), "utf8"),
) as readonly Written[];
const ABSENT = new Set(["null", "0.0.0.0"]);

for (const { name, annotations } of written)
  test(`${name}: read whole, and written again byte for byte`, () => {
    const node = readFlannelNode(annotations);
    assert.ok("ends" in node, `read as ${node.kind}`);
    assert.deepEqual(node.problems, []);
    const families = ["public-ip", "public-ipv6"].filter((key) => {
      const ip = annotations[`flannel.alpha.coreos.com/${key}`];
      return ip !== undefined && !ABSENT.has(ip);
    });
    assert.equal(Object.keys(node.ends).length, families.length);
    const again = Object.entries(formatFlannelNode(node));
    assert.deepEqual(
      Object.fromEntries(again),
      // Of a family that it does not use, flannel says "null" and "0.0.0.0" for some backends; we say nothing.
      Object.fromEntries(Object.entries(annotations).filter(([key]) => again.some(([own]) => own === key))),
    );
    for (const [key, value] of Object.entries(annotations))
      assert.ok(ABSENT.has(value) || again.some(([own]) => own === key), `${key} is not written`);
  });
