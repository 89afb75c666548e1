/** Cuts a byte stream into messages, each after its length in two bytes, however the stream arrives in pieces.
 *  @see RFC 1035 section 4.2.2 */
export function readFrames(onFrame: (message: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= 2) {
      const end = 2 + held.readUInt16BE(0);
      if (held.length < end) return;
      const message = held.subarray(2, end);
      held = held.subarray(end);
      onFrame(message);
    }
  };
}
