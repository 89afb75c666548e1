import type { FileHandle } from "node:fs/promises";

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** The offset in a file at which its last `lines` lines begin; 0 when it has no more than those. */
export async function tailOffset(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines <= 0) return size;
  const block = Buffer.alloc(BLOCK_BYTES);
  let left = lines;
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, end - from, from);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The newline that ends the file ends the last line, and begins none.
      if (block[at] !== NEWLINE || from + at === size - 1) continue;
      if (--left === 0) return from + at + 1;
    }
    end = from;
  }
  return 0;
}
