import { z } from "zod";
import { connectionId } from "./id.ts";
import { instant, jsonObject } from "./scalar.ts";

/** Facts that policy may read about a connection. Numbers are whole: policy knows no fractions. */
export const factValue = z.union([z.string().max(500), z.int(), z.boolean()]);

/**
 * How one outside system is reached and how sensitive it is. `environment`, `risk`, `dataTypes` and `facts`
 * are what policy decides on; a caller of an action cannot change them.
 */
export const putConnectionRequest = z
  .strictObject({
    connector: z
      .string()
      .min(1)
      .max(60)
      .meta({ examples: ["http"] }),
    config: jsonObject.meta({ description: "Settings of the connector. Secrets by name: `vault:<name>`." }),
    environment: z.string().min(1).max(60).optional(),
    risk: z.int().min(0).max(100).optional(),
    dataTypes: z.array(z.string().min(1).max(60)).max(50).optional(),
    facts: z.record(z.string(), factValue).optional(),
  })
  .meta({ id: "PutConnectionRequest" });

export const connection = z
  .object({
    id: connectionId,
    name: z.string(),
    connector: z.string(),
    config: jsonObject,
    environment: z.string(),
    risk: z.int(),
    dataTypes: z.array(z.string()),
    facts: z.record(z.string(), factValue),
    revision: z.int().meta({ description: "Counts from 1, up by one with every put." }),
    createdAt: instant,
    updatedAt: instant,
  })
  .meta({ id: "Connection" });

export const connectionList = z.object({ items: z.array(connection) });

export type PutConnectionRequest = z.input<typeof putConnectionRequest>;
export type Connection = z.infer<typeof connection>;
