import type { LogQuery } from "../logs/read-logs.ts";

export type LogQueryAnswer =
  | { readonly kind: "query"; readonly query: LogQuery; readonly previous: boolean }
  | { readonly kind: "refused"; readonly status: 400 | 422; readonly message: string };

const UNREADABLE: LogQueryAnswer = {
  kind: "refused",
  status: 400,
  message: '{"message": "Unable to decode query."}',
};
const INVALID: LogQueryAnswer = {
  kind: "refused",
  status: 422,
  message: '{"message": "Invalid request."}',
};
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
const STREAMS = { All: undefined, Stdout: "stdout", Stderr: "stderr" } as const;

/** Reads PodLogOptions from a query; `tail` is an older name of `tailLines`. Numbers that no log can have (`tailLines=-1`) and
 *  two beginnings at once are invalid. @see getContainerLogs in pkg/kubelet/server/server.go */
export function parseLogQuery(given: URLSearchParams, now: number): LogQueryAnswer {
  const tail = given.get("tail");
  const lines = tail === null || tail === "" ? given.get("tailLines") : tail === "all" ? null : tail;
  const [tailLines, limitBytes, sinceSeconds] = [
    whole(lines),
    whole(given.get("limitBytes")),
    whole(given.get("sinceSeconds")),
  ];
  const sinceTime = given.get("sinceTime") || undefined;
  const numbers = [tailLines, limitBytes, sinceSeconds];
  if (numbers.includes("unreadable") || (sinceTime !== undefined && !isTime(sinceTime))) return UNREADABLE;
  const stream = given.get("stream") || "All";
  if (!isStream(stream) || (sinceTime !== undefined && sinceSeconds !== undefined)) return INVALID;
  if (below(tailLines, 0) || below(limitBytes, 1) || below(sinceSeconds, 1)) return INVALID;
  return {
    kind: "query",
    previous: flag(given.get("previous")),
    query: {
      follow: flag(given.get("follow")),
      timestamps: flag(given.get("timestamps")),
      tailLines: known(tailLines),
      limitBytes: known(limitBytes),
      since: sinceTime ?? secondsBefore(now, known(sinceSeconds)),
      stream: STREAMS[stream],
    },
  };
}

type Whole = number | "unreadable" | undefined;

function whole(text: string | null): Whole {
  if (text === null || text === "") return undefined;
  if (!/^[+-]?\d{1,19}$/.test(text)) return "unreadable";
  return Number(text);
}

function known(value: Whole): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function below(value: Whole, least: number): boolean {
  return typeof value === "number" && value < least;
}

/** Everything but absence, `0` and `false` is yes, as the API has it. */
function flag(text: string | null): boolean {
  return text !== null && text !== "0" && text.toLowerCase() !== "false";
}

function isTime(text: string): boolean {
  return RFC3339.test(text) && !Number.isNaN(Date.parse(text));
}

function isStream(text: string): text is keyof typeof STREAMS {
  return Object.hasOwn(STREAMS, text);
}

/** Undefined for what lies before any log. */
function secondsBefore(now: number, seconds: number | undefined): string | undefined {
  if (seconds === undefined || seconds * 1000 > now) return undefined;
  return new Date(now - seconds * 1000).toISOString();
}
