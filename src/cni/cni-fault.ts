import { type Detail, Fault } from "#fault/fault";

export type CniReason =
  /** No address is left. */
  | "Exhausted"
  /** The container has its interface already. */
  | "Duplicate"
  /** The address that was asked for is somebody's, or the host port the node's own. */
  | "Taken"
  /** This kernel cannot do what was asked. */
  | "Unsupported"
  /** What was asked makes no sense. */
  | "BadRequest"
  /** Something else has the bridge's name. */
  | "NotABridge";

export class CniFault extends Fault<CniReason> {
  constructor(code: CniReason, message: string, detail: Detail = {}) {
    super(code, message, { detail });
    this.name = "CniFault";
  }
}
