import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openFakeClient } from "#kube/fake/client";
import { type Bench, openBench } from "../../fake/bench.ts";
import { CLUSTER, loadCluster } from "./testdata/cluster.ts";

const SOA =
  /^cluster\.local\. 5 IN SOA ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. \d+ 7200 1800 86400 5$/;
const COREFILE = `.:53 {
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  loadbalance
}`;

/** A question, and the records or the code it has to get. */
type Row = readonly [question: string, ...want: string[]];
const Z = "cluster.local.";

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  "the zone itself": [
    [`dns-version.${Z} TXT`, `dns-version.${Z} 28800 IN TXT "1.1.0"`],
    [`dns-version.${Z} A`, "NXDOMAIN"],
    [`${Z} A`, "NODATA"],
    [`svc.${Z} A`, "NODATA"],
    [`pod.${Z} A`, "NODATA"],
    [`foo.${Z} A`, "NXDOMAIN"],
    [`default.svc.${Z} A`, "NODATA"],
    [`default.pod.${Z} A`, "NODATA"],
    [`missing.svc.${Z} A`, "NXDOMAIN"],
    [`missing.pod.${Z} A`, "NXDOMAIN"],
    [`a.b.xyz.${Z} A`, "NXDOMAIN"],
  ],
  "services with a cluster address": [
    [`web.default.svc.${Z} A`, `web.default.svc.${Z} 5 IN A 10.43.0.9`],
    [`web.default.svc.${Z} AAAA`, "NODATA"],
    [`web.default.svc.${Z} TXT`, "NODATA"],
    [`web.default.svc.${Z} MX`, "NODATA"],
    [`web.default.svc.${Z} TYPE65`, "NODATA"],
    [`web.default.svc.${Z} ANY`, "NODATA"],
    [`web.default.svc.${Z} CNAME`, "NODATA"],
    [`missing.default.svc.${Z} A`, "NXDOMAIN"],
    [`web.missing.svc.${Z} A`, "NXDOMAIN"],
    [`*.default.svc.${Z} A`, "NXDOMAIN"],
    [`any.default.svc.${Z} A`, "NXDOMAIN"],
    [`dual.default.svc.${Z} A`, `dual.default.svc.${Z} 5 IN A 10.43.0.20`],
    [`dual.default.svc.${Z} AAAA`, `dual.default.svc.${Z} 5 IN AAAA fd43::20`],
    [`WEB.Default.svc.${Z} A`, `WEB.Default.svc.${Z} 5 IN A 10.43.0.9`],
  ],
  ports: [
    [
      `_http._tcp.web.default.svc.${Z} SRV`,
      `_http._tcp.web.default.svc.${Z} 5 IN SRV 0 100 80 web.default.svc.${Z}`,
      `+web.default.svc.${Z} 5 IN A 10.43.0.9`,
    ],
    [
      `_HTTP._Tcp.web.default.svc.${Z} SRV`,
      `_HTTP._Tcp.web.default.svc.${Z} 5 IN SRV 0 100 80 web.default.svc.${Z}`,
      `+web.default.svc.${Z} 5 IN A 10.43.0.9`,
    ],
    [
      `http.tcp.web.default.svc.${Z} SRV`,
      `http.tcp.web.default.svc.${Z} 5 IN SRV 0 100 80 web.default.svc.${Z}`,
      `+web.default.svc.${Z} 5 IN A 10.43.0.9`,
    ],
    [`_http._tcp.web.default.svc.${Z} A`, `_http._tcp.web.default.svc.${Z} 5 IN A 10.43.0.9`],
    [`_http._udp.web.default.svc.${Z} SRV`, "NXDOMAIN"],
    [`_nope._tcp.web.default.svc.${Z} SRV`, "NXDOMAIN"],
    [`_tcp.web.default.svc.${Z} SRV`, "NXDOMAIN"],
    [`x._http._tcp.web.default.svc.${Z} SRV`, "NXDOMAIN"],
    [
      `web.default.svc.${Z} SRV`,
      `web.default.svc.${Z} 5 IN SRV 0 50 80 web.default.svc.${Z}`,
      `web.default.svc.${Z} 5 IN SRV 0 50 9000 web.default.svc.${Z}`,
      `+web.default.svc.${Z} 5 IN A 10.43.0.9`,
    ],
    [
      `_x._tcp.dual.default.svc.${Z} SRV`,
      `_x._tcp.dual.default.svc.${Z} 5 IN SRV 0 50 80 dual.default.svc.${Z}`,
      `+dual.default.svc.${Z} 5 IN A 10.43.0.20`,
      `+dual.default.svc.${Z} 5 IN AAAA fd43::20`,
    ],
    [`portless.default.svc.${Z} A`, `portless.default.svc.${Z} 5 IN A 10.43.0.30`],
    [`portless.default.svc.${Z} SRV`, "NODATA"],
  ],
  "headless services and endpoints": [
    [`db.default.svc.${Z} A`, `db.default.svc.${Z} 5 IN A 10.42.0.5`, `db.default.svc.${Z} 5 IN A 10.42.1.5`],
    [`db.default.svc.${Z} AAAA`, "NODATA"],
    [`db-0.db.default.svc.${Z} A`, `db-0.db.default.svc.${Z} 5 IN A 10.42.0.5`],
    [`10-42-1-5.db.default.svc.${Z} A`, `10-42-1-5.db.default.svc.${Z} 5 IN A 10.42.1.5`],
    [`10-42-2-5.db.default.svc.${Z} A`, "NXDOMAIN"],
    [`db-9.db.default.svc.${Z} A`, "NXDOMAIN"],
    [
      `_pg._tcp.db.default.svc.${Z} SRV`,
      `_pg._tcp.db.default.svc.${Z} 5 IN SRV 0 50 5432 db-0.db.default.svc.${Z}`,
      `_pg._tcp.db.default.svc.${Z} 5 IN SRV 0 50 5432 10-42-1-5.db.default.svc.${Z}`,
      `+db-0.db.default.svc.${Z} 5 IN A 10.42.0.5`,
      `+10-42-1-5.db.default.svc.${Z} 5 IN A 10.42.1.5`,
    ],
    [`empty.default.svc.${Z} A`, "NXDOMAIN"],
    [`six.default.svc.${Z} AAAA`, `six.default.svc.${Z} 5 IN AAAA fd42::5`],
    [`six.default.svc.${Z} A`, "NODATA"],
    [`fd42--5.six.default.svc.${Z} AAAA`, `fd42--5.six.default.svc.${Z} 5 IN AAAA fd42::5`],
    [`web-0.web.default.svc.${Z} A`, `web-0.web.default.svc.${Z} 5 IN A 10.42.0.7`],
  ],
  "external names": [
    [`alias.default.svc.${Z} CNAME`, `alias.default.svc.${Z} 5 IN CNAME web.default.svc.${Z}`],
    [
      `alias.default.svc.${Z} A`,
      `alias.default.svc.${Z} 5 IN CNAME web.default.svc.${Z}`,
      `web.default.svc.${Z} 5 IN A 10.43.0.9`,
    ],
    [`alias.default.svc.${Z} SRV`, "NODATA"],
    [`x.alias.default.svc.${Z} A`, "NXDOMAIN"],
    [`_a._tcp.alias.default.svc.${Z} SRV`, "NXDOMAIN"],
    [`nowhere.default.svc.${Z} A`, "NODATA"],
    [`literal.default.svc.${Z} A`, "NXDOMAIN"],
    [`circle.default.svc.${Z} A`, "NODATA"],
  ],
  pods: [
    [`10-42-0-7.default.pod.${Z} A`, `10-42-0-7.default.pod.${Z} 5 IN A 10.42.0.7`],
    [`10-42-0-7.default.pod.${Z} AAAA`, "NODATA"],
    [`fd42--7.default.pod.${Z} AAAA`, `fd42--7.default.pod.${Z} 5 IN AAAA fd42::7`],
    [`fd42--7.default.pod.${Z} A`, "NODATA"],
    [`10-42-0.default.pod.${Z} A`, "NXDOMAIN"],
    [`10-42-0-7.missing.pod.${Z} A`, "NXDOMAIN"],
  ],
  reverse: [
    ["9.0.43.10.in-addr.arpa. PTR", `9.0.43.10.in-addr.arpa. 5 IN PTR web.default.svc.${Z}`],
    ["5.0.42.10.in-addr.arpa. PTR", `5.0.42.10.in-addr.arpa. 5 IN PTR db-0.db.default.svc.${Z}`],
    ["5.1.42.10.in-addr.arpa. PTR", `5.1.42.10.in-addr.arpa. 5 IN PTR 10-42-1-5.db.default.svc.${Z}`],
    [
      "0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.d.f.ip6.arpa. PTR",
      `0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.d.f.ip6.arpa. 5 IN PTR dual.default.svc.${Z}`,
    ],
    ["1.1.1.1.in-addr.arpa. PTR", "SERVFAIL"],
  ],
  other: [
    [`${Z} AXFR`, "REFUSED"],
    ["example.com. A", "SERVFAIL"],
  ],
};

describe("kubernetes", () => {
  let bench: Bench;
  before(async () => {
    const client = openFakeClient();
    await loadCluster(client, CLUSTER);
    bench = await openBench(COREFILE, { client });
  });
  after(() => bench[Symbol.asyncDispose]());

  for (const [group, rows] of Object.entries(ROWS)) {
    for (const [question, ...want] of rows) {
      test(`${group}: ${question}`, async () => {
        const got = await bench.ask(question);
        const [word = ""] = want;
        if (/^(?:NODATA|NXDOMAIN)$/.test(word)) {
          assert.equal(got.rcode, word === "NODATA" ? "NOERROR" : "NXDOMAIN");
          assert.deepEqual(got.answers, []);
          assert.match(got.authority.join(), SOA);
          assert.equal(got.flags, "aa");
        } else if (/^[A-Z]+$/.test(word)) {
          assert.equal(got.rcode, word);
          assert.deepEqual(got.answers, []);
        } else {
          const lines = [...got.answers, ...got.additional.map((line) => `+${line}`)];
          assert.deepEqual(lines.sort(), [...want].sort());
          assert.equal(got.rcode, "NOERROR");
          assert.equal(got.flags, "aa");
        }
      });
    }
  }

  test("the apex has a SOA whose serial is a time", async () => {
    const { answers } = await bench.ask(`${Z} SOA`);
    assert.match(answers.join(), SOA);
  });

  test("the apex names this server", async () => {
    const { answers, additional } = await bench.ask(`${Z} NS`);
    assert.deepEqual(answers, [`${Z} 5 IN NS ns.dns.${Z}`]);
    assert.ok(additional.every((line) => line.startsWith(`ns.dns.${Z} 5 IN A`)));
  });
});

test("changes are visible at once, behind a cache too", async () => {
  const client = openFakeClient();
  await loadCluster(client, CLUSTER);
  await using bench = await openBench(COREFILE.replace("loadbalance", "cache 30"), { client });
  const question = `web.default.svc.${Z} A`;
  assert.equal((await bench.ask(question)).rcode, "NOERROR");
  const { SERVICES } = await import("#kube/resources");
  await client.delete(SERVICES, { namespace: "default", name: "web" });
  await waitUntil(async () => (await bench.ask(question)).rcode === "NXDOMAIN");
});

test("an alias to a name outside is followed, and stays when it leads to nothing there", async () => {
  const client = openFakeClient();
  await loadCluster(client, {
    ...CLUSTER,
    services: ["there.example", "gone.example"].map((externalName) => ({
      metadata: { name: externalName.split(".")[0] ?? "", namespace: "default" },
      spec: { type: "ExternalName", externalName },
    })),
  });
  const inline = "10.9.9.9 there.example\n fd00::9 gone.example\n fallthrough";
  const corefile = COREFILE.replace("loadbalance", `hosts /nonexistent {\n ${inline}\n }`);
  await using bench = await openBench(corefile, { client });
  assert.deepEqual((await bench.ask(`there.default.svc.${Z} A`)).answers, [
    `there.default.svc.${Z} 5 IN CNAME there.example.`,
    "there.example. 3600 IN A 10.9.9.9",
  ]);
  assert.deepEqual((await bench.ask(`gone.default.svc.${Z} A`)).answers, [
    `gone.default.svc.${Z} 5 IN CNAME gone.example.`,
  ]);
});

test("before the first list an unknown name is SERVFAIL, not NXDOMAIN", async () => {
  const client = openFakeClient();
  client.intercept((call) => (call.resource.kind === "Service" ? "ServiceUnavailable" : undefined));
  const corefile = COREFILE.replace("pods insecure", "startup_timeout 20ms");
  await using bench = await openBench(corefile, { client });
  assert.equal((await bench.ask(`web.default.svc.${Z} A`)).rcode, "SERVFAIL");
  assert.deepEqual(bench.generation.unready(), ["kubernetes"]);
});

async function waitUntil(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error("it did not become true");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
