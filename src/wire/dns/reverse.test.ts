import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { reverseIp, reverseName } from "./reverse.ts";

for (const text of ["10.43.0.9", "0.0.0.0", "255.255.255.255", "fd43::20", "::", "2001:db8:1:2:3:4:5:6"]) {
  test(`${text} and its reverse name`, () => {
    assert.equal(reverseIp(reverseName(parseIp(text))), text);
  });
}

const strangers = [
  "43.10.in-addr.arpa.",
  "1.2.3.256.in-addr.arpa.",
  "01.2.3.4.in-addr.arpa.",
  "x.ip6.arpa.",
  "in-addr.arpa.",
  "a.",
];
for (const name of strangers) test(`${name} is no address`, () => assert.equal(reverseIp(name), undefined));
