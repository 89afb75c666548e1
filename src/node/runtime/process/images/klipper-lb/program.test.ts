import assert from "node:assert/strict";
import { test } from "node:test";
import { readForwarding } from "./environment.ts";
import { forwardingProgram } from "./program.ts";

const forwarding = readForwarding({
  SRC_PORT: "80",
  SRC_RANGES: "0.0.0.0/0,2001:db8::/32",
  DEST_PROTO: "TCP",
  DEST_PORT: "8080",
  DEST_IPS: "10.43.0.8,10.43.0.9,fd43::9",
});

test("a container's whole table is replaced", () => {
  assert.equal(
    forwardingProgram(forwarding, [4, 6]),
    `add table inet klipper-lb-tcp-80
delete table inet klipper-lb-tcp-80
table inet klipper-lb-tcp-80 {
  chain forward {
    type filter hook forward priority 0; policy accept;
    meta nfproto ipv4 tcp dport 8080 ct original proto-dst 80 accept
    ip6 saddr 2001:db8::/32 tcp dport 8080 ct original proto-dst 80 accept
    ip daddr 10.43.0.8 tcp dport 8080 ct original proto-dst 80 drop
    ip daddr 10.43.0.9 tcp dport 8080 ct original proto-dst 80 drop
    ip6 daddr fd43::9 tcp dport 8080 ct original proto-dst 80 drop
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    meta nfproto ipv4 tcp dport 80 dnat ip to 10.43.0.9:8080
    meta nfproto ipv6 tcp dport 80 dnat ip6 to [fd43::9]:8080
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ip daddr 10.43.0.8 meta l4proto tcp masquerade
    ip daddr 10.43.0.9 meta l4proto tcp masquerade
    ip6 daddr fd43::9 meta l4proto tcp masquerade
  }
}
`,
  );
});

test("a family that is not forwarded gets nothing, and its sources are kept all the same", () => {
  const text = forwardingProgram(forwarding, [4]);
  assert.doesNotMatch(text, /fd43/);
  assert.match(text, /ip6 saddr 2001:db8::\/32 tcp dport 8080 ct original proto-dst 80 accept/);
  assert.doesNotMatch(forwardingProgram(forwarding, []), /dnat|drop/);
});
