import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { desiredRoutes } from "./desired.ts";
import type { Elements, Place } from "./model.ts";
import { ServiceTable } from "./service-table.ts";
import { type ServiceShape, serviceObject, sliceObject } from "./testing/objects.ts";

const NODE = parseIp("192.168.9.1");
const PLACE: Place = {
  nodeName: "here",
  zone: undefined,
  localIps: [NODE],
  nodeIps: [NODE],
  nodePortIps: [NODE],
};
const HERE = { ip: "10.42.0.2", nodeName: "here" };
const THERE = { ip: "10.42.1.2", nodeName: "there" };
const STICKY: ServiceShape = { sessionAffinity: "ClientIP", externalIPs: ["192.168.7.1"] };
const NOTHING: Elements = new Map();

/** Services of one family, looked at in a table. */
class Bench {
  readonly table = new ServiceTable();

  adopt(standing: Elements): this {
    this.table.adopt([4], standing);
    return this;
  }

  look(service: ServiceShape, endpoints: readonly (typeof HERE)[] = [HERE, THERE]): this {
    const object = serviceObject(service);
    const name = object.metadata.name ?? "";
    const slice = sliceObject({ service: name, endpoints });
    const routes = desiredRoutes(object, [slice], { family: 4, place: PLACE });
    this.table.set(`default/${name}`, 4, object.metadata.creationTimestamp ?? "", routes);
    return this;
  }

  settle(): this {
    for (const _ of this.table.forgetAdopted());
    return this;
  }

  /** A copy, as the kernel holds it. */
  get standing(): Elements {
    return new Map([...this.table.elements].map(([id, of]) => [id, new Map(of)]));
  }

  idOf(frontend: string, set = "sticky-ids"): string | undefined {
    return this.table.elements.get(`4 ${set}`)?.get(frontend);
  }
}

test("of two that want one frontend the owner keeps its affinity over a restart, whoever is looked at first", () => {
  const owner = { ...STICKY, name: "owner", createdAt: "2026-01-01T00:00:00Z", clusterIP: "10.43.0.7" };
  const rival = { ...STICKY, name: "rival", createdAt: "2026-02-02T00:00:00Z", clusterIP: "10.43.0.8" };
  const { standing } = new Bench().adopt(NOTHING).look(owner).look(rival).settle();
  for (const order of [
    [owner, rival],
    [rival, owner],
  ]) {
    const again = new Bench().adopt(standing);
    for (const service of order) again.look(service);
    const { table } = again.settle();
    assert.deepEqual(again.standing, standing, order[0]?.name);
    assert.deepEqual(table.takeChanges().changes, []);
  }
});

test("a group of near endpoints is kept through changes, and given back when it is gone", () => {
  const frontend = "192.168.7.1 . tcp . 80";
  const local = { ...STICKY, externalTrafficPolicy: "Local" };
  const bench = new Bench().look(local);
  const number = bench.idOf(frontend, "sticky-local-ids");
  assert.notEqual(number, undefined);
  bench.look({ ...STICKY, externalTrafficPolicy: "Cluster" });
  bench.look({ ...STICKY, externalTrafficPolicy: "Cluster" }, [HERE]);
  assert.equal(bench.idOf(frontend, "sticky-local-ids"), number, "policy Cluster leads to the same ones");
  bench.look(STICKY, [THERE]);
  assert.equal(bench.idOf(frontend, "sticky-local-ids"), undefined);
  bench.look(STICKY);
  assert.notEqual(bench.idOf(frontend, "sticky-local-ids"), number, "whoever was remembered is not mistaken");
});
