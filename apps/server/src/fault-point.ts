import type { Fault } from "#platform/kernel";

/** `name` kills at the first hit of that point, `name:3` at the third; null never. */
export function faultAt(spec: string | null, kill: () => void): Fault {
  if (spec === null) return () => {};
  const [name, count = "1"] = spec.split(":");
  let left = Number(count);
  return (point) => {
    if (point === name && --left === 0) kill();
  };
}
