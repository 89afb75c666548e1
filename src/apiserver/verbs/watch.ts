import type { CacheEvent } from "../cache/history.ts";
import { Stored } from "../cache/stored.ts";
import type { View } from "../cache/view.ts";
import { partialMetadata, TABLE_TAIL, type TableForm, tableHead, tableRow } from "../print/table.ts";
import { chooseForm, type Form } from "../request/accept.ts";
import { flag, integer, revision as parseRevision } from "../request/query.ts";
import { isSelected, parseSelection, type Selection } from "../select/selection.ts";
import { asStatus, invalid, StatusFault } from "../status.ts";
import type { Call } from "./call.ts";
import { reach, tableForm } from "./read.ts";
import { WatchStream } from "./watch-stream.ts";
import { ShownEvents } from "./watch-view.ts";

const FORMS: ReadonlySet<Form["as"]> = new Set(["Table", "PartialObjectMetadata"]);
const LIST_OPTIONS = { group: "meta.k8s.io", kind: "ListOptions" };
const BOOKMARK_PERIOD_MS = 60_000;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

type EventType = "ADDED" | "MODIFIED" | "DELETED";

/** Streams events until the deadline, the client or the server ends it. Headers go out before anything is looked at twice. */
export async function watch(call: Call): Promise<void> {
  const { api, cache, info, query, view } = call;
  const form = chooseForm(call.request.headers.accept, FORMS);
  const selection = parseSelection(view.spec, query, { namespace: info.namespace, name: info.name });
  const start = parseStart(query);
  if (start.kind === "state") await reach(call, start.revision);
  const seconds = (integer(query, "timeoutSeconds") || undefined) ?? 1800 + Math.floor(Math.random() * 1800);
  const print = printer(call, form);
  const stream = new WatchStream(call.response, {
    signal: api.signal,
    timeoutMs: Math.max(1, seconds) * 1000,
  });
  call.reply.start(200, "application/json");
  call.response.flushHeaders();
  const bookmarks = flag(query, "allowWatchBookmarks");
  const from = start.kind === "after" ? start.revision : api.world.revision;
  const backlog = start.kind === "after" ? cache.eventsAfter(start.revision) : [];
  if (backlog === undefined) {
    stream.end(errorLine(tooOld(start.revision, cache.oldest)));
    return;
  }
  const frame = (event: CacheEvent) => (event.revision > from ? frameOf(event, selection, print) : undefined);
  const fail = (error: unknown) => stream.end(errorLine(asStatus(error)));
  const shown = new ShownEvents(view, (event) => stream.push(frame(event)), fail);
  const leave = [
    cache.subscribe({ deliver: (event) => shown.push(event) }),
    view.whenRetired(() => stream.end()),
  ];
  const withState = start.kind === "state" && start.withState;
  const state = withState ? cache.list(selection.prefix) : [];
  const end = withState && bookmarks ? bookmark(call, form, api.world.revision, true) : undefined;
  try {
    const initial = { state: await view.outAll(state), backlog: await eventsIn(view, backlog) };
    stream.begin(initialFrames({ ...initial, selection, print, frame, end }));
  } catch (error) {
    fail(error);
  }
  try {
    await stream.run({
      clock: api.clock,
      bookmarkPeriodMs: BOOKMARK_PERIOD_MS,
      bookmark: bookmarks
        ? () => (shown.isIdle ? bookmark(call, form, api.world.revision, false) : undefined)
        : undefined,
    });
  } finally {
    for (const each of leave) each();
  }
}

async function eventsIn(view: View, events: readonly CacheEvent[]): Promise<readonly CacheEvent[]> {
  return view.isPlain ? events : await Promise.all(events.map((event) => view.event(event)));
}

type Start =
  | { readonly kind: "after"; readonly revision: number }
  /** From the present: with what exists now as ADDED events, or without. */
  | { readonly kind: "state"; readonly revision: number; readonly withState: boolean };

function parseStart(query: URLSearchParams): Start {
  const revision = parseRevision(query.get("resourceVersion")) ?? 0;
  const match = query.get("resourceVersionMatch") ?? "";
  const hasInitial = query.has("sendInitialEvents");
  if (hasInitial && match !== "NotOlderThan")
    throw invalid(LIST_OPTIONS, "", [
      {
        type: "Forbidden",
        path: "resourceVersionMatch",
        detail: "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
      },
    ]);
  if (!hasInitial && match !== "")
    throw invalid(LIST_OPTIONS, "", [
      {
        type: "Forbidden",
        path: "resourceVersionMatch",
        detail: "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      },
    ]);
  if (hasInitial && flag(query, "sendInitialEvents")) return { kind: "state", revision, withState: true };
  if (revision !== 0) return { kind: "after", revision };
  return { kind: "state", revision: 0, withState: !hasInitial };
}

function* initialFrames(options: {
  readonly state: readonly Stored[];
  readonly backlog: readonly CacheEvent[];
  readonly selection: Selection;
  readonly print: Printer;
  readonly frame: (event: CacheEvent) => Buffer | string | undefined;
  readonly end: string | undefined;
}): Generator<Buffer | string | undefined> {
  for (const stored of options.state)
    yield isSelected(options.selection, stored) ? options.print("ADDED", stored, undefined) : undefined;
  if (options.end !== undefined) yield options.end;
  for (const event of options.backlog) yield options.frame(event);
}

/** What an event is to a watcher with a selection: an object that begins or ceases to match comes and goes. */
function frameOf(event: CacheEvent, selection: Selection, print: Printer): Buffer | string | undefined {
  const was = event.before !== undefined && isSelected(selection, event.before);
  const is = event.after !== undefined && isSelected(selection, event.after);
  if (is && event.after !== undefined) return print(was ? "MODIFIED" : "ADDED", event.after, event);
  if (was && event.before !== undefined) return print("DELETED", event.before, event);
  return undefined;
}

type Printer = (type: EventType, stored: Stored, event: CacheEvent | undefined) => Buffer | string;

/** Bytes of an event as plain JSON, made once for all who watch it. */
const shared = new WeakMap<CacheEvent, Map<EventType, Buffer>>();

function printer(call: Call, form: Form): Printer {
  const { view } = call;
  const current = (type: EventType, stored: Stored, event: CacheEvent | undefined): Stored =>
    type === "DELETED" && event !== undefined
      ? new Stored(stored.key, event.revision, view.format.at(stored, event.revision))
      : stored;
  if (form.as === "Table") return tablePrinter(tableForm(call, form), current);
  if (form.as === "PartialObjectMetadata")
    return (type, stored, event) =>
      `{"type":"${type}","object":${partialMetadata(current(type, stored, event), `meta.k8s.io/${form.version}`)}}\n`;
  const plain = (type: EventType, stored: Stored, event: CacheEvent | undefined) =>
    `{"type":"${type}","object":${current(type, stored, event).text}}\n`;
  return (type, stored, event) => {
    if (event === undefined) return plain(type, stored, event);
    const known = shared.get(event) ?? new Map<EventType, Buffer>();
    shared.set(event, known);
    const bytes = known.get(type) ?? Buffer.from(plain(type, stored, event));
    known.set(type, bytes);
    return bytes;
  };
}

/** Column definitions come with the first event only. */
function tablePrinter(
  table: TableForm,
  current: (type: EventType, stored: Stored, event: CacheEvent | undefined) => Stored,
): Printer {
  let isFirst = true;
  return (type, stored, event) => {
    const now = current(type, stored, event);
    const head = tableHead(table, { resourceVersion: String(now.revision) }, { columns: isFirst });
    isFirst = false;
    return `{"type":"${type}","object":${head}${tableRow(table, now)}${TABLE_TAIL}}\n`;
  };
}

function bookmark({ view, info }: Call, form: Form, revision: number, endsInitial: boolean): string {
  const apiVersion = info.group === "" ? info.version : `${info.group}/${info.version}`;
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(endsInitial ? { annotations: { [INITIAL_EVENTS_END]: "true" } } : {}),
  };
  const object =
    form.as === "PartialObjectMetadata"
      ? { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${form.version}`, metadata }
      : { kind: view.spec.resource.kind, apiVersion, metadata };
  return `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
}

function errorLine(fault: StatusFault): string {
  return `${JSON.stringify({ type: "ERROR", object: fault.toStatus() })}\n`;
}

function tooOld(wanted: number, oldest: number): StatusFault {
  return new StatusFault("Expired", `too old resource version: ${wanted} (${oldest})`);
}
