import { setImmediate as nextTurn } from "node:timers/promises";
import { apiVersionOf } from "#kube/object";
import type { Stored } from "../cache/stored.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { partialMetadata, TABLE_TAIL, tableHead, tableRow } from "../print/table.ts";
import { chooseForm, type Form } from "../request/accept.ts";
import { integer } from "../request/query.ts";
import { isSelected, parseSelection, type Selection } from "../select/selection.ts";
import { StatusFault } from "../status.ts";
import type { Call } from "./call.ts";
import { decodeContinue, encodeContinue } from "./continue-token.ts";
import { wantedState } from "./list-options.ts";
import { reach, tableForm } from "./read.ts";

const FORMS: ReadonlySet<Form["as"]> = new Set(["Table", "PartialObjectMetadataList"]);
/** How many objects are looked at before others get a turn. */
const STRIDE = 500;
/** How many objects are written at once: some hundred kilobytes, about a millisecond of work. */
const PIECE = 100;

interface Page {
  readonly revision: number;
  readonly items: readonly Stored[];
  readonly next: string | undefined;
  readonly remaining: number | undefined;
}

export async function list(call: Call): Promise<void> {
  const form = chooseForm(call.request.headers.accept, FORMS);
  const selection = parseSelection(call.view.spec, call.query, { namespace: call.info.namespace });
  const page = await readPage(call, selection);
  const metadata = {
    resourceVersion: String(page.revision),
    ...(page.next === undefined ? {} : { continue: page.next }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  await sendList(call, { ...layout(call, form, metadata), items: page.items });
}

/** How a list is written: what stands before the items, each item, and what stands after. */
interface Layout {
  readonly head: string;
  readonly item: (stored: Stored) => string;
  readonly tail: string;
}

function layout(call: Call, form: Form, metadata: object): Layout {
  const { view } = call;
  switch (form.as) {
    case "Table": {
      const table = tableForm(call, form);
      const head = tableHead(table, metadata, { columns: true });
      return { head, item: (stored) => tableRow(table, stored), tail: TABLE_TAIL };
    }
    case "PartialObjectMetadataList": {
      const apiVersion = `meta.k8s.io/${form.version}`;
      const head = listHead("PartialObjectMetadataList", apiVersion, metadata);
      return { head, item: (stored) => partialMetadata(stored, apiVersion), tail: "]}" };
    }
    default: {
      const head = listHead(listKindOf(view.spec), apiVersionOf(view.spec.resource), metadata);
      return { head, item: (stored) => view.format.item(stored), tail: "]}" };
    }
  }
}

export function listKindOf({ resource, listKind }: KindSpec): string {
  return listKind ?? `${resource.kind}List`;
}

export function listHead(kind: string, apiVersion: string, metadata: object): string {
  return `{"kind":"${kind}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`;
}

/** Sends a short list whole, and a long one in pieces, so that neither memory nor other requests pay for it. */
async function sendList(
  { reply }: Call,
  { head, item, tail, items }: Layout & { items: readonly Stored[] },
): Promise<void> {
  if (items.length <= PIECE) {
    reply.jsonText(200, head + items.map(item).join(",") + tail);
    return;
  }
  await reply.pieces(200, pieces());

  function* pieces(): Generator<string> {
    for (let at = 0; at < items.length; at += PIECE) {
      const piece = items
        .slice(at, at + PIECE)
        .map(item)
        .join(",");
      yield (at === 0 ? head : ",") + piece;
    }
    yield tail;
  }
}

/** Maps without keeping others waiting. */
export async function mapInTurns<T, R>(items: readonly T[], map: (item: T) => R): Promise<R[]> {
  const out: R[] = [];
  for (const [i, item] of items.entries()) {
    if (i > 0 && i % STRIDE === 0) await nextTurn();
    out.push(map(item));
  }
  return out;
}

async function readPage(call: Call, selection: Selection): Promise<Page> {
  const { query } = call;
  const limit = Math.max(0, integer(query, "limit") ?? 0);
  const { revision: asked, match, token } = wantedState(query, "list");
  if (token !== "") return await readRest(call, selection, { token, limit });
  await reach(call, asked ?? 0);
  const exact = asked !== undefined && asked !== 0 && (match === "Exact" || (limit > 0 && match === ""));
  if (exact) {
    const items = call.cache.listAt(asked, selection.prefix);
    if (items === undefined)
      throw new StatusFault("Expired", "The resourceVersion for the provided list is too old.");
    return await cut(call, { items, selection, revision: asked, limit });
  }
  const items = candidates(call, selection);
  return await cut(call, {
    items,
    selection,
    revision: call.api.world.revision,
    limit: asked === 0 ? 0 : limit,
  });
}

/** A list by name needs no scan. */
function candidates({ cache }: Call, { prefix, name }: Selection): Stored[] {
  if (name === undefined || (cache.spec.resource.namespaced && prefix === "")) return cache.list(prefix);
  const stored = cache.get(prefix + name);
  return stored === undefined ? [] : [stored];
}

async function readRest(
  call: Call,
  selection: Selection,
  { token, limit }: { readonly token: string; readonly limit: number },
): Promise<Page> {
  const { revision, start } = decodeContinue(token);
  const { cache, api } = call;
  const from = start.startsWith(selection.prefix) ? start : selection.prefix + start;
  if (revision < 0)
    return await cut(call, {
      items: cache.list(selection.prefix, from),
      selection,
      revision: api.world.revision,
      limit,
    });
  const items = cache.listAt(revision, selection.prefix, from);
  if (items === undefined)
    throw new StatusFault(
      "Expired",
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
      { continueToken: encodeContinue({ revision: -1, start }) },
    );
  return await cut(call, { items, selection, revision, limit });
}

interface Cut {
  readonly items: readonly Stored[];
  readonly selection: Selection;
  readonly revision: number;
  readonly limit: number;
}

/** One page in the call's version. Selectors ask about fields of that version, so that what they look at is converted first. */
async function cut({ view }: Call, options: Cut): Promise<Page> {
  const looks = options.selection.matches !== undefined;
  const page = await cutStates(looks ? { ...options, items: await view.outAll(options.items) } : options);
  return looks ? page : { ...page, items: await view.outAll(page.items) };
}

async function cutStates(options: Cut): Promise<Page> {
  const { items, selection, revision, limit } = options;
  const found: Stored[] = [];
  for (const [i, stored] of items.entries()) {
    if (i > 0 && i % STRIDE === 0 && selection.matches !== undefined) await nextTurn();
    if (!isSelected(selection, stored)) continue;
    if (limit > 0 && found.length === limit) {
      const last = found.at(-1)?.key ?? "";
      const remaining = selection.matches === undefined ? items.length - i : undefined;
      return { revision, items: found, next: encodeContinue({ revision, start: `${last}\0` }), remaining };
    }
    found.push(stored);
  }
  return { revision, items: found, next: undefined, remaining: undefined };
}
