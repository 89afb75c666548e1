import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import type { NodeCondition, NodeStatus, NodeSystemInfo } from "#kube/generated/types";
import { isTakingOver, type NodeState, nodeStatus } from "./desired-node.ts";

const THEN = "2026-01-02T03:00:00Z";
const NOW = "2026-01-02T03:04:05Z";
const COMPLAINT = "the pod network is missing";

const INFO: NodeSystemInfo = {
  machineID: "m",
  systemUUID: "s",
  bootID: "this boot",
  kernelVersion: "6.1",
  osImage: "Linux",
  containerRuntimeVersion: "process://1",
  kubeletVersion: "v1",
  kubeProxyVersion: "",
  operatingSystem: "linux",
  architecture: "amd64",
};

function stateOf(change: Partial<NodeState>): NodeState {
  return {
    identity: {
      name: "n1",
      arch: "amd64",
      nodeIps: [parseIp("192.0.2.1")],
      labels: {},
      taints: [],
      hasCloudProvider: false,
      marks: () => ({ labels: {}, annotations: {} }),
    },
    capacity: { cpu: "2" },
    allocatable: { cpu: "2" },
    info: INFO,
    images: [],
    port: 10250,
    pressures: [],
    complaints: [],
    isSure: true,
    now: NOW,
    ...change,
  };
}

function standing(status: NodeCondition["status"], bootID = INFO.bootID): NodeStatus {
  return {
    nodeInfo: { ...INFO, bootID },
    conditions: [{ type: "Ready", status, lastTransitionTime: THEN, lastHeartbeatTime: THEN }],
  };
}

const readyIn = (status: NodeStatus) => status.conditions?.find(({ type }) => type === "Ready");

const missing = { complaints: [COMPLAINT] };
const looking = { ...missing, isSure: false };
const cases: readonly [string, Partial<NodeState>, NodeStatus, "True" | "False" | "unsaid"][] = [
  ["a node without complaints", {}, {}, "True"],
  ["a node that has found all it needs", { isSure: false }, standing("True"), "True"],
  ["a new node that lacks something", missing, {}, "False"],
  ["a new node that is still looking", looking, {}, "False"],
  ["a ready node that has lost something", missing, standing("True"), "False"],
  ["a ready node whose agent has started again and looks", looking, standing("True"), "unsaid"],
  ["a node that was not ready, looking", looking, standing("False"), "False"],
  ["a node that was given up, looking", looking, standing("Unknown"), "False"],
  ["a node that was ready before the machine started again", looking, standing("True", "old"), "False"],
];
for (const [name, change, before, ready] of cases)
  test(`${name}: Ready is ${ready}`, () => {
    const state = stateOf(change);
    assert.equal(isTakingOver(state, before), ready === "unsaid");
    if (ready === "unsaid") return;
    const condition = readyIn(nodeStatus(state, before));
    assert.equal(condition?.status, ready);
    assert.equal(condition.lastTransitionTime, readyIn(before)?.status === ready ? THEN : NOW);
    assert.equal(condition.lastHeartbeatTime, NOW);
    if (ready === "False") assert.equal(condition.message, COMPLAINT);
  });

test("conditions of others stay", () => {
  const other: NodeCondition = { type: "NetworkUnavailable", status: "False" };
  assert.ok(nodeStatus(stateOf({}), { conditions: [other] }).conditions?.includes(other));
});
