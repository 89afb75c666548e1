import type { CacheEvent } from "../cache/history.ts";
import { Stored } from "../cache/stored.ts";
import type { View } from "../cache/view.ts";
import { partialMetadata, TABLE_TAIL, type TableForm, tableHead, tableRow } from "../print/table.ts";
import { chooseForm, type Form } from "../request/accept.ts";
import { flag, integer } from "../request/query.ts";
import { isSelected, parseSelection, type Selection } from "../select/selection.ts";
import { asStatus, StatusFault } from "../status.ts";
import type { Call } from "./call.ts";
import { wantedState } from "./list-options.ts";
import { reach, tableForm } from "./read.ts";
import { sharedFrame } from "./shared-frames.ts";
import { WatchStream } from "./watch-stream.ts";
import { ShownEvents } from "./watch-view.ts";

const FORMS: ReadonlySet<Form["as"]> = new Set(["Table", "PartialObjectMetadata"]);
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
    sent: api.meter.watchEvents(view.spec.resource),
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
        ? // One that asked for the future has not been told anything yet: its revision must not fall.
          () =>
            shown.isIdle && api.world.revision >= from
              ? bookmark(call, form, api.world.revision, false)
              : undefined
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
  const { revision = 0, initialEvents } = wantedState(query, "watch");
  if (initialEvents) return { kind: "state", revision, withState: true };
  if (revision !== 0) return { kind: "after", revision };
  return { kind: "state", revision: 0, withState: initialEvents === undefined };
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
  return (type, stored, event) =>
    event === undefined
      ? plain(type, stored, event)
      : sharedFrame(event, type, () => plain(type, stored, event));
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
