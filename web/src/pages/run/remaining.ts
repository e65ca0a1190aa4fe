/** Rate and time left, from how far it was when one began to watch; none while that says nothing. Pure. */
export function remaining(of: { since: number; from: number; now: number; done: number; planned: number }): { rate: number; left: number } | null {
  const took = (of.now - of.since) / 1000;
  const did = of.done - of.from;
  if (took < 2 || did <= 0 || of.done >= of.planned) return null;
  const rate = did / took;
  return { rate, left: ((of.planned - of.done) / rate) * 1000 };
}
