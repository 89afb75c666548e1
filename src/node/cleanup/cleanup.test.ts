import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { systemClock } from "#life/clock";
import { startTicksOf } from "../runtime/process/identity.ts";
import { killTree, podProgram } from "./pod-processes.ts";
import { agentName } from "./running-agents.ts";

const agents = [
  { words: ["/usr/local/bin/k3s server"], program: "k3s", is: "k3s server" },
  { words: ["/usr/local/bin/k3s", "agent", "--token", "x"], program: "k3s", is: "k3s agent" },
  { words: ["k3s", "kubectl", "get", "pods"], program: "k3s", is: undefined },
  { words: ["/usr/bin/kubelet", "--config=x"], program: "kubelet", is: "kubelet" },
  { words: ["/opt/bin/flanneld", "--kube-subnet-mgr"], program: "flanneld", is: "flanneld" },
  { words: ["node", "--flag", "/opt/twill/bin/twill.ts", "agent"], program: "node", is: "twill agent" },
  { words: ["node", "/run/twill.mjs", "server", "--debug"], program: "node", is: "twill server" },
  { words: ["node", "bin/twill.ts", "fabric", "--kubeconfig", "f"], program: "node", is: "twill fabric" },
  { words: ["node", "bin/twill.ts", "fabric", "status"], program: "node", is: undefined },
  { words: ["node", "bin/twill.ts", "cleanup"], program: "node", is: undefined },
  { words: ["vi", "k3s", "server"], program: "vim", is: undefined },
  { words: [""], program: "", is: undefined },
];

for (const { words, program, is } of agents)
  test(`${words.join(" ")} is ${is ?? "no agent"}`, () => assert.equal(agentName(words, program), is));

const DATA = "/var/lib/rancher/k3s";
const shim = "containerd-shim-runc-v2";
const programs = [
  { words: [`${DATA}/data/abc/bin/${shim}`, "-namespace", "k8s.io"], is: "a containerd shim" },
  { words: [`/usr/bin/${shim}`, "-address", "/run/k3s/containerd/containerd.sock"], is: "a containerd shim" },
  { words: [`/usr/bin/${shim}`, "-address", "/run/containerd/containerd.sock"], is: undefined },
  {
    words: ["/usr/bin/containerd", "--config", `${DATA}/agent/etc/containerd/config.toml`],
    is: "containerd",
  },
  { words: ["/usr/bin/containerd"], is: undefined },
  { words: ["/usr/bin/grep", `${DATA}/data/abc/bin/${shim}`], is: undefined },
];

for (const { words, is } of programs)
  test(`${words.join(" ")} is ${is ?? "somebody else's"}`, () => assert.equal(podProgram(words, DATA), is));

test("a process goes with all that descend from it, and never one that only has its pid", async () => {
  const parent = spawn("sh", ["-c", "sleep 1000 & echo $!; wait"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(parent.stdout, "data");
  const [pid, child] = [parent.pid ?? 0, Number(line)];
  const startTicks = startTicksOf(pid) ?? "";
  const life = { clock: systemClock, signal: new AbortController().signal };
  await killTree({ pid, startTicks: `${startTicks}0`, what: "another's" }, life);
  assert.equal(startTicksOf(pid), startTicks);
  await killTree({ pid, startTicks, what: "a shell" }, life);
  assert.deepEqual([startTicksOf(pid), startTicksOf(child)], [undefined, undefined]);
});
