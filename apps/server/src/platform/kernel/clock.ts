/** Time of this process. Leases, timers and expiry use the database clock instead. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
