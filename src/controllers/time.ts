/** `2026-01-02T03:04:05Z`: the API keeps whole seconds in most time fields. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Milliseconds since the epoch; 0 for a missing or unreadable time. */
export function parseTime(text: string | undefined): number {
  const ms = text === undefined ? 0 : Date.parse(text);
  return Number.isNaN(ms) ? 0 : ms;
}
