/** The server of `bench/dns.ts`, in a process of its own: K3s's Corefile over a cluster in memory. Sends its port. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCoredns } from "#dns/main";
import { openFakeClient } from "#kube/fake/client";
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from "#kube/resources";
import { silentLog } from "#telemetry/log";

const COREFILE = `.:0 {
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  hosts /etc/hosts {
    ttl 60
    reload 15s
    fallthrough
  }
  prometheus 127.0.0.1:0
  cache 30
  reload
  loadbalance
  forward . 127.0.0.1:1
}
`;

const services = Number(process.argv[2]);
const client = openFakeClient();
await client.create(NAMESPACES, { metadata: { name: "default" } });
for (let i = 0; i < services; i++) {
  const ip = `10.43.${i >> 8}.${i & 255}`;
  const ports = [{ name: "http", port: 80, protocol: "TCP" }];
  await client.create(SERVICES, {
    metadata: { name: `web-${i}`, namespace: "default" },
    spec: { type: "ClusterIP", clusterIP: ip, clusterIPs: [ip], ports },
  });
  await client.create(SERVICES, {
    metadata: { name: `db-${i}`, namespace: "default" },
    spec: { type: "ClusterIP", clusterIP: "None", clusterIPs: ["None"], ports },
  });
  await client.create(ENDPOINT_SLICES, {
    metadata: {
      name: `db-${i}-a`,
      namespace: "default",
      labels: { "kubernetes.io/service-name": `db-${i}` },
    },
    addressType: "IPv4",
    endpoints: [1, 2, 3].map((n) => ({ addresses: [`10.42.${n}.${1 + (i % 250)}`] })),
    ports,
  });
}
const file = join(mkdtempSync(join(tmpdir(), "twill-bench-dns-")), "Corefile");
writeFileSync(file, COREFILE);
const stop = new AbortController();
process.on("disconnect", () => stop.abort());
process.exitCode = await runCoredns(["-conf", file], {
  signal: stop.signal,
  env: {},
  log: silentLog,
  openKube: async () => client,
  onListening: ([port]) => process.send?.({ port }),
});
