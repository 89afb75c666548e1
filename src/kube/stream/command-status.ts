import type { CommandEnd } from "./session.ts";

/** What is told on the error channel once a command is over: a Status, as much of it as Kubernetes' clients read. */
export interface CommandStatus {
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
  readonly code?: number;
}

export function statusOf(end: CommandEnd): CommandStatus {
  if ("error" in end) return internalError(end.error);
  if (end.code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${end.code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(end.code) }] },
  };
}

export function internalError(why: string): CommandStatus {
  const message = `Internal error occurred: ${why}`;
  return { metadata: {}, status: "Failure", message, reason: "InternalError", code: 500 };
}

/** What the error channel carries: JSON from v4 on, before that a sentence, and nothing when all is well. */
export function formatStatus(status: CommandStatus, form: "json" | "text"): string {
  if (form === "json") return JSON.stringify(status);
  return status.status === "Success" ? "" : (status.message ?? "unknown error");
}

/** The status in a kubelet's error channel; one that says nothing, or nothing readable, is told as a failure. */
export function parseStatus(text: string): CommandStatus {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "status" in value) {
      if (value.status === "Success") return { metadata: {}, status: "Success" };
      if (value.status === "Failure") return { ...value, metadata: {}, status: "Failure" };
    }
  } catch {
    // Told below.
  }
  const said = text === "" ? "the connection to the container was lost" : text;
  return internalError(`error stream protocol error: ${said}`);
}
