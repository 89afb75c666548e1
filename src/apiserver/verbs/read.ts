import { objectKey } from "../cache/resource-cache.ts";
import type { Stored } from "../cache/stored.ts";
import { partialMetadata, TABLE_TAIL, type TableForm, tableHead, tableRow } from "../print/table.ts";
import { chooseForm, type Form } from "../request/accept.ts";
import { revision as parseRevision } from "../request/query.ts";
import { badRequest, notFound, StatusFault } from "../status.ts";
import type { Call } from "./call.ts";

const ONE: ReadonlySet<Form["as"]> = new Set(["Table", "PartialObjectMetadata"]);
const FUTURE_WAIT_MS = 3000;

export async function get(call: Call): Promise<void> {
  const { cache, info, query, view } = call;
  await reach(call, parseRevision(query.get("resourceVersion")) ?? 0);
  const name = info.name ?? "";
  const stored = cache.get(objectKey(cache.spec.resource.namespaced ? info.namespace : undefined, name));
  if (stored === undefined) throw notFound(cache.spec.resource, name);
  sendObject(call, 200, await view.out(stored));
}

/** Answers with one object, already in the call's version, in the form the client asked for. */
export function sendObject(call: Call, code: number, stored: Stored): void {
  const form = chooseForm(call.request.headers.accept, ONE);
  call.reply.jsonText(code, formatObject(call, form, stored));
}

function formatObject(call: Call, form: Form, stored: Stored): string {
  switch (form.as) {
    case "Table": {
      const table = tableForm(call, form);
      const metadata = { resourceVersion: String(stored.revision) };
      return tableHead(table, metadata, { columns: true }) + tableRow(table, stored) + TABLE_TAIL;
    }
    case "PartialObjectMetadata":
      return partialMetadata(stored, `meta.k8s.io/${form.version}`);
    default:
      return stored.text;
  }
}

export function tableForm({ api, view, query }: Call, form: Form): TableForm {
  const include = query.get("includeObject") ?? "";
  if (include !== "" && include !== "None" && include !== "Metadata" && include !== "Object")
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(include)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  return {
    spec: view.spec,
    apiVersion: `meta.k8s.io/${form.version}`,
    include: include === "" ? "Metadata" : include,
    clock: api.clock,
  };
}

/** Resolves once the cache is at `wanted`. @throws {StatusFault} Timeout after 3 s: a revision from the future */
export async function reach({ api }: Call, wanted: number): Promise<void> {
  if (wanted <= api.world.revision) return;
  const late = new AbortController();
  const signal = AbortSignal.any([late.signal, api.signal]);
  try {
    await Promise.race([api.world.reached(wanted), api.clock.sleep(FUTURE_WAIT_MS, { signal })]);
  } finally {
    late.abort();
  }
  if (wanted <= api.world.revision) return;
  throw new StatusFault(
    "Timeout",
    `Timeout: Too large resource version: ${wanted}, current: ${api.world.revision}`,
    {
      details: {
        causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
        retryAfterSeconds: 1,
      },
    },
  );
}
