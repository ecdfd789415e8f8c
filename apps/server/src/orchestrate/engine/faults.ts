/** Points at which a test may kill the process. They cost one call of an empty function in production. */
export const faultPoints = [
  "runs.after-start",
  "actions.before-propose",
  "actions.after-propose",
  "actions.after-perform",
  "actions.before-consume",
  "engine.before-park",
  "engine.before-finish",
  "triggers.after-accept",
] as const;

export type FaultPoint = (typeof faultPoints)[number];
