import assert from "node:assert/strict";
import { test } from "node:test";
import { countRules } from "./nft-listing.ts";

const LISTING = `table inet t {
	map ports4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 80 : 192.0.2.1 . 80,
			     tcp . 81 : 192.0.2.1 . 80 }
	}

	chain empty {
	}

	chain input {
		type filter hook input priority filter; policy accept;
		meta mark 0x00000001 accept
		jump empty
	}
}
`;

test("rules are counted; sets, elements and hooks are none", () => {
  assert.equal(countRules(LISTING), 2);
  assert.equal(countRules(""), 0);
});
