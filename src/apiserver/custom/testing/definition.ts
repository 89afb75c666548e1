import { setTimeout as sleep } from "node:timers/promises";
import type { JSONSchemaProps } from "#kube/generated/types";
import { type Answer, ask, type Line } from "../../testing/client.ts";
import type { Rig } from "../../testing/rig.ts";

export const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

// biome-ignore lint/suspicious/noExplicitAny: definitions are changed freely by the tests that send them
export type Body = any;

/** A definition of one version, v1, stored and served, of `Thing`s whose `spec` is as given; `change` makes it another. */
export function definition(
  name: { readonly group: string; readonly kind?: string },
  spec: JSONSchemaProps,
  change: (body: Body) => void = () => {},
): Body {
  const { group, kind = "Thing" } = name;
  const plural = `${kind.toLowerCase()}s`;
  const body: Body = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural, kind },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
        },
      ],
    },
  };
  change(body);
  return body;
}

/** Sends a definition and waits until it is established. */
export async function install(rig: Rig, body: Body): Promise<Line> {
  const { code, text } = await ask(rig, "POST", DEFINITIONS, { body });
  if (code !== 201) throw new Error(text);
  return await until(rig, `${DEFINITIONS}/${body.metadata.name}`, ({ body: now }) =>
    hasCondition(now, "Established", "True"),
  );
}

export function hasCondition(body: Line, type: string, status: string): boolean {
  const conditions: Line[] = body?.status?.conditions ?? [];
  return conditions.some((each) => each.type === type && each.status === status);
}

/** Asks until the answer is as wanted; ten seconds at most. */
export async function until(rig: Rig, path: string, isWanted: (answer: Answer) => boolean): Promise<Line> {
  for (let left = 1000; ; left--) {
    const answer = await ask(rig, "GET", path);
    if (isWanted(answer)) return answer.body;
    if (left === 0) throw new Error(`not as wanted: ${answer.text}`);
    await sleep(10);
  }
}

/** An object of a definition's kind. */
export function thing(of: Body, name: string, spec: object, more: object = {}): Body {
  const { group, names, versions } = of.spec;
  return {
    apiVersion: `${group}/${versions[0].name}`,
    kind: names.kind,
    metadata: { name },
    spec,
    ...more,
  };
}
