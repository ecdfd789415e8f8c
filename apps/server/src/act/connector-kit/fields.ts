/** Fields that configs and inputs of connectors share. */
import { durationMs } from "@oars/contract";
import { z } from "zod";

/** Names the connection that an operation uses. */
export const connectionField = z.string().min(1).max(100);

/** `vault:NAME` -> NAME. A value that is not a reference is a secret in the wrong place: it is never repeated. */
export const secretReference = z
  .string()
  .regex(/^vault:[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error: 'must name a secret, like "vault:wms-token"; store its value with PUT /v1/secrets/wms-token',
  })
  .transform((text) => text.slice("vault:".length));

export const timeoutField = z
  .union([z.int(), z.string().transform((text) => durationMs(text) ?? -1)])
  .refine((ms) => ms >= 1 && ms <= 600_000, {
    error: "must be from 1 ms to 10 minutes: a duration such as 30s, or a number of milliseconds",
  });

/** A host name or an IP address, without port. In lower case. */
export const hostField = z
  .string()
  .regex(
    /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*\.?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/,
    {
      error: "must be a host name or an IP address",
    },
  )
  .max(253)
  .transform((host) => host.toLowerCase().replace(/\.$/, ""));

export const portField = z.int().min(1).max(65_535);

/** Text for one line of a protocol: no line breaks, no other control characters. */
export const lineField = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !/\p{Cc}/u.test(text), { error: "must not hold line breaks or control characters" });
