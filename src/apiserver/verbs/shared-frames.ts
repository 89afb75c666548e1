import type { CacheEvent } from "../cache/history.ts";

/** Events are sent to all who watch as they happen; long remembered bytes would only double the history. */
const RECENT = 64;

/** Bytes of the latest events as plain JSON, made once for all who watch them. */
const recent = new Map<CacheEvent, Map<string, Buffer>>();

/** The bytes of one event under one type, made by `text` unless somebody was sent them just now. */
export function sharedFrame(event: CacheEvent, type: string, text: () => string): Buffer {
  let frames = recent.get(event);
  if (frames === undefined) {
    frames = new Map();
    recent.set(event, frames);
    if (recent.size > RECENT) for (const oldest of recent.keys().take(1)) recent.delete(oldest);
  }
  const known = frames.get(type);
  if (known !== undefined) return known;
  const made = Buffer.from(text());
  frames.set(type, made);
  return made;
}
