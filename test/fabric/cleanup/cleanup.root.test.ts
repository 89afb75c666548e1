/** `twill cleanup` on a machine of its own: namespaces of network and mounts, with what K3s and Twill leave. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

const TWILL = fileURLToPath(new URL("../../../bin/twill.ts", import.meta.url));

/** Each step's exit code and what it printed. */
let steps: ReadonlyMap<string, { readonly code: number; readonly text: string }>;

/** The processes end by themselves should the test be killed. */
const SCRIPT = `
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
data=/var/lib/rancher/k3s
step() { name=$1; shift; out=$("$@" 2>&1); echo "== $name $?"; echo "$out"; }
twill() { "$NODE" "$TWILL" "$@"; }

mkdir -p /run/netns /run/flannel /run/twill/labs /run/k3s/shm /var/lib/cni/networks $data/agent/process/pods/uid/containers/c/0
mkdir -p $data/agent/kubelet/pods/uid/volumes/secret /var/lib/kubelet/pods/uid/volumes/v
touch /run/flannel/subnet.env /run/twill/fabric.sock /run/twill/labs/kept $data/kept
mount -t tmpfs none /run/k3s/shm
mount -t tmpfs none /var/lib/kubelet/pods/uid/volumes/v
mount -t tmpfs none $data/agent/kubelet/pods/uid/volumes/secret
touch $data/agent/kubelet/pods/uid/volumes/secret/token

ip netns add cni-11111111-2222-3333-4444-555555555555
ip netns add kept
ip link add eth0 type veth peer name cable
ip link set eth0 up; ip link set cable up; ip addr add 192.0.2.1/24 dev eth0
ip link add cni0 type bridge
ip link add vethpod type veth peer name podend
ip link set vethpod master cni0
ip link add other type bridge
ip link add flannel.1 type vxlan id 1 dstport 8472 dev eth0 local 192.0.2.1
ip route add 10.42.9.0/24 via 192.0.2.9 proto 84
ip route add 10.99.0.0/24 via 192.0.2.9
ip route add default via 192.0.2.9 proto 84
iptables-nft -N KUBE-SERVICES; iptables-nft -A INPUT -j KUBE-SERVICES; iptables-nft -A INPUT -p tcp --dport 22 -j ACCEPT
ip6tables-legacy -N CNI-X; ip6tables-legacy -A FORWARD -j CNI-X
nft add table inet twill-fabric; nft add chain inet twill-fabric c
nft add table inet mine; nft add chain inet mine c

bash -c 'exec -a "$0/data/abc/bin/containerd-shim-runc-v2" bash -c "sleep 60 & wait"' $data &
shim=$!
bash -c 'exec -a /usr/bin/containerd-shim-runc-v2 sleep 60' &
foreign=$!
state=$data/agent/process/pods/uid/containers/c/0/state
truncate -s 72 $state
flock $state sleep 60 &
supervisor=$!
"$NODE" -e 'const b = Buffer.alloc(72); b.writeBigUInt64LE(1n, 0); b.writeBigUInt64LE(BigInt(process.argv[2]), 8); require("fs").writeFileSync(process.argv[1], b, { flag: "r+" })' $state $supervisor
bash -c 'exec -a "/usr/local/bin/k3s server" sleep 60' &
agent=$!

step refused twill cleanup
step rules-refused twill cleanup --rules
step dry twill cleanup --dry-run -o json
step forced twill cleanup --force
step again twill cleanup
step wrong twill cleanup --all -o yaml
alive() { for pid in "$@"; do [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status && echo $pid; done; true; }
step agent-pid echo $agent
step gone alive $shim $supervisor $agent
step alive alive $foreign
kill $foreign
step links ip -br link
step routes ip route show
step namespaces ip netns
step files find /run /var/lib -mindepth 1 ! -path '/run/mount*' ! -path '/var/lib/rancher/k3s/agent/process*'
step mounts sh -c 'grep -c -e /run/k3s -e kubelet /proc/self/mounts || true'
step tables nft list tables
step rules iptables-nft-save
step rules6 ip6tables-legacy-save
`;

before(() => {
  const text = execFileSync("unshare", ["-n", "-m", "--propagation", "private", "sh", "-c", SCRIPT], {
    encoding: "utf8",
    env: { ...process.env, NODE: process.execPath, TWILL },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 100_000,
  });
  steps = new Map(
    text
      .split(/^== /m)
      .slice(1)
      .map((part) => {
        const [, name = "", code = "", rest = ""] = /^(\S+) (\d+)\n([\s\S]*)$/.exec(part) ?? [];
        return [name, { code: Number(code), text: rest.trim() }];
      }),
  );
});

function step(name: string) {
  const found = steps.get(name);
  assert.ok(found, name);
  return found;
}

test("it refuses while an agent of K3s runs, and says which", () => {
  const pid = step("agent-pid").text;
  for (const name of ["refused", "rules-refused"]) {
    assert.equal(step(name).code, 1);
    assert.match(step(name).text, new RegExp(`k3s server, pid ${pid}`));
    assert.match(step(name).text, /--force/);
  }
});

test("a dry run says what would go, and --force takes just that", () => {
  const { items } = JSON.parse(step("dry").text) as { items: readonly { what: string; result: string }[] };
  assert.ok(items.every(({ result }) => result === "would be removed"));
  const removed = step("forced").text.split("\n");
  assert.deepEqual(
    removed,
    items.map(({ what }) => `Removed ${what}`),
  );
  assert.equal(step("forced").code, 0);
  assert.deepEqual(
    items.map(({ what }) => what.replace(/pid \d+/, "pid N")),
    [
      "a pod's supervisor and its processes, pid N",
      "a containerd shim and its processes, pid N",
      "mount /run/k3s/shm",
      "mount /var/lib/kubelet/pods/uid/volumes/v",
      "mount /var/lib/rancher/k3s/agent/kubelet/pods/uid/volumes/secret",
      "network namespace /run/netns/cni-11111111-2222-3333-4444-555555555555",
      "device vethpod",
      "device cni0",
      "device flannel.1",
      "route to 10.42.9.0/24",
      "nftables table inet twill-fabric",
      "iptables rules in table ip filter: 1 rules, 1 chains (and what leads to them from INPUT)",
      "legacy iptables rules in table ip6 filter: 1 rules, 1 chains (and what leads to them from FORWARD)",
      "/var/lib/cni",
      "/run/flannel",
      "/run/twill/fabric.sock",
    ],
  );
});

test("what is somebody else's stays", () => {
  assert.equal(step("gone").text, "");
  assert.match(step("alive").text, /^\d+$/);
  const names = step("links")
    .text.split("\n")
    .map((line) => line.split(/[@\s]/)[0]);
  assert.deepEqual(names.sort(), ["cable", "eth0", "lo", "other"]);
  assert.match(step("routes").text, /default via[\s\S]*10\.99\.0\.0\/24/);
  assert.doesNotMatch(step("routes").text, /10\.42/);
  assert.equal(step("namespaces").text, "kept");
  assert.equal(step("mounts").text, "0");
  assert.deepEqual(step("tables").text.split("\n"), ["table ip filter", "table inet mine"]);
  assert.match(step("rules").text, /-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT/);
  assert.doesNotMatch(step("rules").text + step("rules6").text, /KUBE|CNI/);
  const files = step("files").text.split("\n");
  for (const kept of ["/run/twill/labs/kept", "/var/lib/rancher/k3s/kept", "/run/netns/kept"])
    assert.ok(files.includes(kept), kept);
  for (const gone of ["/var/lib/cni", "/run/flannel", "/run/twill/fabric.sock", "/run/k3s/shm"])
    assert.ok(!files.includes(gone), gone);
});

test("a second time nothing is left; wrong words are refused", () => {
  assert.deepEqual(step("again"), { code: 0, text: "Nothing is left here." });
  assert.equal(step("wrong").code, 2);
  assert.match(step("wrong").text, /unknown: "--all"[\s\S]*-o yaml: expected json/);
});
