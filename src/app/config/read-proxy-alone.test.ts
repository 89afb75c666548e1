import assert from "node:assert/strict";
import { hostname } from "node:os";
import { describe, test } from "node:test";
import { type ProxyAloneConfig, readProxyAlone } from "./read-proxy-alone.ts";

function good(...argv: string[]): ProxyAloneConfig {
  const reading = readProxyAlone(argv);
  assert.equal(reading.kind, "good", reading.kind === "bad" ? reading.problems.join("\n") : "");
  return reading.config;
}

test("nothing said is the service account, and the host's own name", () => {
  const { args, ...rest } = good();
  assert.deepEqual(rest, {
    kubeconfig: undefined,
    apiUrl: undefined,
    nodeName: hostname().toLowerCase(),
    serviceCidrs: [],
    statusSocket: undefined,
    isCleanup: false,
  });
  assert.equal(args.localhostNodePorts, true);
});

test("flags are taken as Go's programs take them", () => {
  const { args, ...rest } = good(
    ...["--kubeconfig", "/k", "-hostname-override=N1", "--master=https://192.0.2.1:6443", "--masquerade-all"],
    ...["--v", "4", "--cluster-cidr", "10.244.0.0/16", "--service-cidr=10.96.0.0/12,fd96::/112"],
    ...["--nodeport-addresses", "primary", "--iptables-localhost-nodeports=false", "--status-socket=/s"],
  );
  assert.deepEqual(rest, {
    kubeconfig: "/k",
    apiUrl: "https://192.0.2.1:6443",
    nodeName: "n1",
    serviceCidrs: ["10.96.0.0/12", "fd96::/112"],
    statusSocket: "/s",
    isCleanup: false,
  });
  assert.deepEqual(
    [args.masqueradeAll, args.verbosity, args.pods, args.nodePortAddresses, args.localhostNodePorts],
    [true, 4, { kind: "cidrs", cidrs: ["10.244.0.0/16"] }, "primary", false],
  );
  assert.equal(good("--cleanup").isCleanup, true);
});

describe("refused by name", () => {
  for (const [argv, why] of [
    [["--config=/var/lib/kube-proxy/config.conf"], /^--config: files of kube-proxy's are not read/],
    [["run"], /^"run" is not a flag; proxy takes flags only/],
    [["--kubeconfig"], /^--kubeconfig needs a value/],
    [["--cluster-cdir=10.0.0.0/8"], /^--cluster-cdir: is not an argument .* did you mean cluster-cidr\?/],
    [["--metrics-port=x"], /^--metrics-port: "x" is not a port/],
    [["--master=192.0.2.1"], /^--master: "192.0.2.1" is not an address such as https:/],
    [["--detect-local-mode=BridgeInterface"], /^--pod-bridge-interface: is needed/],
  ] as const)
    test(argv.join(" "), () => {
      const reading = readProxyAlone(argv);
      assert.equal(reading.kind, "bad");
      assert.match(reading.problems.join("\n"), why);
    });
});

test("without effect, and told", () => {
  assert.match(readProxyAlone(["--proxy-mode=ipvs"]).warnings.join(), /^--proxy-mode: ipvs: Twill routes/);
  assert.match(readProxyAlone(["--ipvs-scheduler=rr"]).warnings.join(), /^--ipvs-scheduler: has no effect/);
});
