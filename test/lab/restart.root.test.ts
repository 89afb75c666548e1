/** A node's own process ends as hard as it goes and is started again under traffic: nothing that was ready is taken out of
 *  service, in no version of any object, and no question goes unanswered. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { EndpointSlice, Node, Pod, Service } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import { readKubeconfig } from "#kube/kubeconfig";
import type { KubeObject, Resource } from "#kube/object";
import { ENDPOINT_SLICES, NODES, PODS } from "#kube/resources";
import { LAB_ROOTS } from "#lab/layout";
import { readRecord } from "#lab/record";
import { eventually, Lab, launcher, removeStaleLabs, run } from "./lab.ts";

const lab = new Lab("r");
let client: KubeClient & AsyncDisposable;
let page: string;

before(() => {
  removeStaleLabs();
  const up = lab.twill("up", "--nodes", "3", "--demo");
  assert.equal(up.code, 0, `${up.out}${up.err}`);
  const record = readRecord(join(LAB_ROOTS.state, lab.name));
  assert.ok(record);
  client = openClient({ ...readKubeconfig(readFileSync(record.kubeconfig, "utf8")), userAgent: "test" });
  page = `http://${lab.json<Service>("get", "service", "web").spec?.clusterIP}/hostname`;
});
after(async () => {
  await client?.[Symbol.asyncDispose]();
  lab.down();
});

const unready = ({ status }: Node | Pod) =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True")
    ? undefined
    : JSON.stringify(status?.conditions);
const readyEndpoints = ({ endpoints }: EndpointSlice) =>
  endpoints?.filter(({ conditions }) => conditions?.ready).length ?? 0;

/** Looks at every version that a kind's objects have from now on; connections may break meanwhile. */
class Observer<T extends KubeObject> {
  readonly bad: string[] = [];
  readonly #resource: Resource<T>;
  readonly #complaint: (object: T) => string | undefined;
  readonly #last = new Map<string, number>();
  readonly #stop = new AbortController();

  constructor(resource: Resource<T>, complaint: (object: T) => string | undefined) {
    this.#resource = resource;
    this.#complaint = complaint;
  }

  async begin(): Promise<void> {
    const { items, resourceVersion } = await client.list(this.#resource);
    for (const item of items) this.#look(item);
    void this.#follow(resourceVersion).catch((error: unknown) => this.bad.push(String(error)));
  }

  /** Resolves once it has seen what the API has now. */
  async catchUp(): Promise<void> {
    const { items } = await client.list(this.#resource);
    await eventually("the watch has caught up", () =>
      items.every(({ metadata }) => (this.#last.get(metadata.name) ?? 0) >= Number(metadata.resourceVersion)),
    );
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(from: string): Promise<void> {
    const { signal } = this.#stop;
    for (let resourceVersion = from; !signal.aborted; ) {
      try {
        for await (const event of client.watch(this.#resource, { resourceVersion, signal })) {
          if (event.type === "BOOKMARK") continue;
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
          this.#look(event.object);
          if (event.type === "DELETED") this.bad.push(`${event.object.metadata.name} was deleted`);
        }
      } catch (error) {
        if (!isApiFault(error, "Unreachable")) throw error;
        await wait(50); // The server is away.
      }
    }
  }

  #look(object: T): void {
    const { name, resourceVersion } = object.metadata;
    this.#last.set(name, Number(resourceVersion));
    const complaint = this.#complaint(object);
    if (complaint !== undefined) this.bad.push(`${name} at ${resourceVersion}: ${complaint}`);
  }
}

/** Asks again and again from a node, counting. */
class Asker {
  readonly #child: ChildProcess;
  readonly #answers: string[] = [];

  constructor(role: string, question: string) {
    const netns = join(LAB_ROOTS.run, lab.name, `${lab.node(role)}.net`);
    const loop = `while :; do ${question} && echo answered || echo lost; sleep 0.1; done`;
    this.#child = spawn("nsenter", [`--net=${netns}`, "sh", "-c", loop], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#answers.push(...String(chunk).trim().split("\n"));
    });
  }

  get asked(): number {
    return this.#answers.length;
  }

  get lost(): number {
    return this.#answers.filter((answer) => answer === "lost").length;
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await once(this.#child, "exit");
  }
}

function observers() {
  const endpoints = new Map<string, number>();
  const fewer = (slice: EndpointSlice) => {
    const { name } = slice.metadata;
    const now = readyEndpoints(slice);
    const most = Math.max(now, endpoints.get(name) ?? 0);
    endpoints.set(name, most);
    return now < most ? `${now} of ${most} endpoints are ready` : undefined;
  };
  return [
    new Observer<Node>(NODES, unready),
    new Observer<Pod>(PODS, unready),
    new Observer(ENDPOINT_SLICES, fewer),
  ];
}

for (const role of ["agent-1", "agent-2", "server"]) {
  test(`${role} killed and started again under traffic takes nothing out of service`, async () => {
    const watched = observers();
    await Promise.all(watched.map((observer) => observer.begin()));
    const other = role === "agent-1" ? "agent-2" : "agent-1";
    const name = "dig +short +tries=1 +time=2 @10.43.0.10 web.default.svc.cluster.local | grep -q ^10.43.";
    const askers = [role, other].flatMap((from) => [
      new Asker(from, `curl -s -m 2 -o /dev/null ${page}`),
      new Asker(from, name),
    ]);
    try {
      const asked = (more: number) => {
        const goal = askers.map((asker) => asker.asked + more);
        return eventually("answers", () => askers.every((asker, i) => asker.asked >= (goal[i] ?? 0)));
      };
      await asked(5);
      lab.killNode(role);
      await asked(5);
      const up = lab.twill("up");
      assert.equal(up.code, 0, `${up.out}${up.err}`);
      // The Node stays Ready meanwhile, so `up` may be back before the new life has said so of itself.
      await eventually(
        "the new life is ready",
        () => lab.logOf(role).match(/the node is ready/g)?.length === 2,
      );
      await asked(20);
      await Promise.all(watched.map((observer) => observer.catchUp()));
    } finally {
      for (const observer of watched) observer.stop();
      await Promise.all(askers.map((asker) => asker.stop()));
    }
    for (const { bad } of watched) assert.deepEqual(bad, []);
    for (const { lost } of askers) assert.equal(lost, 0);
  });
}

test("another backend goes through a lab node by node, and no question is lost", async () => {
  const askers = ["server", "agent-1", "agent-2"].map(
    (from) => new Asker(from, `curl -s -m 2 -o /dev/null ${page}`),
  );
  try {
    const up = lab.twill("up", "--flannel-backend=host-gw");
    assert.equal(up.code, 0, `${up.out}${up.err}`);
    await eventually(
      "all peers have answered",
      () => run(launcher, ["fabric", "status", "--name", lab.name]).code === 0,
    );
    for (const role of ["server", "agent-1", "agent-2"])
      assert.match(lab.inNode(role, "ip", "route").out, /^10\.42\.\d\.0\/24 via 172\.30\.0\.\d+ dev eth0/m);
  } finally {
    await Promise.all(askers.map((asker) => asker.stop()));
  }
  for (const { lost } of askers) assert.equal(lost, 0);
  assert.match(lab.twill("up", "--flannel-backend=host-gw", "--debug").err, /Cannot make lab/);
});
