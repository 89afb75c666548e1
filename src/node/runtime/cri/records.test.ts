import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeResponse } from "./codec.ts";
import type { Container, ContainerStatus, PodSandbox, PodSandboxStatus } from "./generated/types.ts";
import { oldContainers, oldSandboxes } from "./leftovers.ts";
import { type ContainerRecord, formatNanos, type PodRecord, runsOf, sandboxOf } from "./records.ts";

const BLANK_CONTAINER = blank("ListContainers", "containers");
const BLANK_STATUS = blank("ContainerStatus", "status");
const BLANK_SANDBOX = blank("ListPodSandbox", "items");
const BLANK_SANDBOX_STATUS = blank("PodSandboxStatus", "status");

/** An empty message of the first field of an answer. */
function blank<T>(
  call: "ListContainers" | "ContainerStatus" | "ListPodSandbox" | "PodSandboxStatus",
  field: string,
): T {
  const answer: Record<string, unknown> = { ...decodeResponse(call, Uint8Array.of(0x0a, 0)) };
  const value = answer[field];
  return (Array.isArray(value) ? value[0] : value) as T;
}

function sandbox(id: string, change: Partial<PodSandbox>, status: Partial<PodSandboxStatus> = {}) {
  const listed: PodSandbox = { ...(BLANK_SANDBOX as PodSandbox), id, ...change };
  return { listed, status: { ...(BLANK_SANDBOX_STATUS as PodSandboxStatus), ...status } };
}

function container(id: string, change: Partial<ContainerStatus>, name = "main"): ContainerRecord {
  const state = change.state ?? "CONTAINER_EXITED";
  const metadata = { name, attempt: 0 };
  const listed: Container = { ...(BLANK_CONTAINER as Container), id, state, metadata, podSandboxId: "s1" };
  return { listed, status: { ...(BLANK_STATUS as ContainerStatus), id, ...change, state }, message: "" };
}

const pod = (change: Partial<PodRecord>): PodRecord => ({
  uid: "u",
  sandboxes: [],
  containers: [],
  ...change,
});

test("the newest sandbox is the pod's, ready with an address of its own or the node's", () => {
  const network = { ip: "10.42.0.9", additionalIps: [{ ip: "2001:db8::9" }, { ip: "" }] };
  const one = sandbox("s1", { state: "SANDBOX_READY" }, { network });
  const found = sandboxOf(pod({ sandboxes: [one, sandbox("s0", { state: "SANDBOX_NOTREADY" })] }));
  assert.equal(found?.id, "s1");
  assert.deepEqual([found?.isReady, found?.ips], [true, ["10.42.0.9", "2001:db8::9"]]);
  assert.equal(sandboxOf(pod({ sandboxes: [sandbox("s1", { state: "SANDBOX_READY" })] }))?.isReady, false);
  const options = {
    network: "NODE",
    pid: "POD",
    ipc: "POD",
    targetId: "",
    usernsOptions: undefined,
  } as const;
  const host = sandbox("s1", { state: "SANDBOX_READY" }, { linux: { namespaces: { options } }, network });
  const hosted = sandboxOf(pod({ sandboxes: [host] }));
  assert.deepEqual([hosted?.isReady, hosted?.isHostNetwork, hosted?.ips], [true, true, []]);
});

test("a container that was created and not started has not run", () => {
  const record = container("c", { state: "CONTAINER_CREATED" });
  assert.deepEqual(runsOf(pod({ containers: [record, { ...record, status: undefined }] })), []);
});

test("a run has the runtime's name of its image, and its user where that is told", () => {
  const image = { image: "docker.io/library/a:1" } as ContainerStatus["image"];
  const user = { linux: { uid: 5n, gid: 6n, supplementalGroups: [6n, 7n] } };
  const [run] = runsOf(pod({ containers: [container("c", { image, user })] }));
  assert.equal(run?.image, "docker.io/library/a:1");
  assert.deepEqual(run?.user, { uid: 5, gid: 6, supplementalGroups: [6, 7] });
  const [silent] = runsOf(pod({ containers: [container("c", {})] }));
  assert.equal(silent?.user, undefined);
});

test("an end is told with what the runtime and the container say", () => {
  const record = container("c", {
    state: "CONTAINER_EXITED",
    exitCode: 128,
    reason: "StartError",
    message: "runc",
    createdAt: 1_700_000_000_123_456_789n,
    finishedAt: 1_700_000_001_000_000_001n,
  });
  const [run] = runsOf(pod({ containers: [{ ...record, message: "words" }] }));
  assert.equal(run?.startedAt, "2023-11-14T22:13:20.123456789Z");
  assert.deepEqual(run?.exit, {
    code: 128,
    reason: "StartError",
    message: "runc: words",
    finishedAt: "2023-11-14T22:13:21.000000001Z",
  });
});

test("a container of which the runtime has lost sight is over", () => {
  const [run] = runsOf(pod({ containers: [container("c", { state: "CONTAINER_UNKNOWN" })] }));
  assert.deepEqual([run?.exit?.code, run?.exit?.reason], [137, "ContainerStatusUnknown"]);
});

test("of ended containers the newest of each name stays", () => {
  const containers = [
    container("c3", { state: "CONTAINER_RUNNING" }),
    container("c2", {}),
    container("c1", {}),
    container("d1", {}, "other"),
    container("c0", { state: "CONTAINER_CREATED" }),
  ];
  const old = oldContainers(pod({ containers }));
  assert.deepEqual(
    old.map(({ listed }) => listed.id),
    ["c1"],
  );
});

test("of sandboxes go those that are neither ready nor used nor the newest", () => {
  const states = ["SANDBOX_NOTREADY", "SANDBOX_READY", "SANDBOX_NOTREADY", "SANDBOX_NOTREADY"] as const;
  const sandboxes = states.map((state, i) => sandbox(`s${3 - i}`, { state }));
  const used = container("c", {});
  const ids = (removed: readonly ContainerRecord[]) =>
    oldSandboxes(pod({ sandboxes, containers: [used] }), removed).map(({ listed }) => listed.id);
  assert.deepEqual(ids([]), ["s0"]);
  assert.deepEqual(ids([used]), ["s1", "s0"]);
});

test("times keep their nanoseconds, and sort as text", () => {
  assert.equal(formatNanos(0n), "1970-01-01T00:00:00.000000000Z");
  assert.equal(formatNanos(1_700_000_000_000_000_001n), "2023-11-14T22:13:20.000000001Z");
});
