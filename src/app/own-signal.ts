/** A signal for the parts of a whole: it aborts with the whole's own, and when the whole ends, so that parts that go on do
 *  not complain about what was taken from under them. */
export function ownSignal(outer: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const end = new AbortController();
  return { signal: AbortSignal.any([outer, end.signal]), [Symbol.dispose]: () => end.abort() };
}
