import { type Detail, Fault } from "#fault/fault";

export type PluginReason =
  /** It ended with an error of its own. */
  | "PluginFailed"
  /** It says that the same may work soon. */
  | "TryAgainLater"
  /** No folder has it. */
  | "PluginMissing"
  /** It cannot be executed. */
  | "PluginNotStarted"
  /** It gave no answer in time, and was killed. */
  | "PluginHung"
  /** What it printed is no answer, or has no end. */
  | "PluginTalksRubbish"
  /** There is no network to attach to. */
  | "NotInitialized"
  /** A name or id that the specification does not allow. */
  | "BadRequest";

/** Somebody else's plugin, or the list that names it, did not do what was asked. */
export class PluginFault extends Fault<PluginReason> {
  /** The plugin's own `code`, where it gave one. */
  readonly pluginCode: number | undefined;

  constructor(
    code: PluginReason,
    message: string,
    options: { detail?: Detail; cause?: unknown; pluginCode?: number } = {},
  ) {
    super(code, message, options);
    this.name = "PluginFault";
    this.pluginCode = options.pluginCode;
  }
}

/** Codes of errors that the specification gives a meaning. @see SPEC.md of CNI 1.1, "Error" */
export const PLUGIN_CODES = { unknownContainer: 3, tryAgainLater: 11 } as const;

const LONGEST_WORDS = 800;

/** At most some hundred characters of what a program said, on one line. */
export function wordsOf(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > LONGEST_WORDS ? `${line.slice(0, LONGEST_WORDS)}... (cut)` : line;
}
