import { isOthersLabel } from "#apiserver/admission/node-restriction/node";

/** @throws {Error} saying what is wrong with it */
export function parseLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new Error(`${JSON.stringify(text)} is not key=value`);
  const key = text.slice(0, at);
  // The API would refuse the node that asks for it, again and again.
  if (isOthersLabel(key))
    throw new Error(`${key} is a label that a node may not give itself; put it on with kubectl label node`);
  return [key, text.slice(at + 1)];
}

/** @throws {Error} saying what is wrong with it */
export function parseTaint(text: string): { key: string; value: string; effect: string } {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  if (!match?.[1] || !match[3])
    throw new Error(
      `${JSON.stringify(text)} is not key=value:Effect (NoSchedule, PreferNoSchedule or NoExecute)`,
    );
  return { key: match[1], value: match[2] ?? "", effect: match[3] };
}
