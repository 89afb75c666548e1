import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#kube/generated/types";
import { collides } from "./host-ports.ts";

/** `8080/UDP@127.0.0.1`, of which only the number has to be there. */
function podOf(text: string): Pod {
  const [, port, protocol, hostIP] = /^(\d+)(?:\/(\w+))?(?:@(.+))?$/.exec(text) ?? [];
  const ports = [
    {
      containerPort: 80,
      hostPort: Number(port),
      ...(protocol ? { protocol } : {}),
      ...(hostIP ? { hostIP } : {}),
    },
  ];
  return { metadata: { name: "p" }, spec: { containers: [{ name: "c", ports }] } };
}

const rows: readonly [one: string, other: string, doCollide: boolean][] = [
  ["8080", "8080", true],
  ["8080", "8080/TCP", true],
  ["8080", "8081", false],
  ["8080", "8080/UDP", false],
  ["8080@127.0.0.1", "8080", true],
  ["8080@127.0.0.1", "8080@0.0.0.0", true],
  ["8080@127.0.0.1", "8080@127.0.0.2", false],
  ["0", "0", false],
];
for (const [one, other, doCollide] of rows)
  test(`${one} and ${other}`, () => {
    assert.equal(collides(podOf(one), podOf(other)), doCollide);
    assert.equal(collides(podOf(other), podOf(one)), doCollide);
  });
