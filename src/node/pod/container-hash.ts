import type { Container } from "#kube/generated/types";

/** FNV-1a over name and image, in hex: the only fields whose change restarts a container. */
export function containerHash({ name, image = "" }: Pick<Container, "name" | "image">): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${name}\0${image}`)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16);
}
