/** Precedence of semantic versions (semver 2.0.0 §11) as the schema of a flow admits them. */

/** Negative when `a` comes before `b`, zero when they are the same version. */
export function compareVersions(a: string, b: string): number {
  const [coreA, preA] = split(a);
  const [coreB, preB] = split(b);
  const core = compareLists(coreA.split("."), coreB.split("."));
  if (core !== 0 || preA === preB) return core;
  // a release comes behind its own previews
  if (preA === null) return 1;
  return preB === null ? -1 : compareLists(preA.split("."), preB.split("."));
}

const split = (version: string): [string, string | null] => {
  const dash = version.indexOf("-");
  return dash < 0 ? [version, null] : [version.slice(0, dash), version.slice(dash + 1)];
};

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i], b[i]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const order = comparePart(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers by value and before text, text by ASCII. */
function comparePart(a: string, b: string): number {
  const [numberA, numberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numberA && numberB) return Number(a) - Number(b);
  if (numberA !== numberB) return numberA ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}
