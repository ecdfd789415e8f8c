import { z } from "zod";
import { isNetError, parseTarget } from "#platform/net";

/** Hosts on this machine, where a test or a sidecar may speak plain http. */
const local = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** The URL of an endpoint that takes credentials: https, or http on this machine. The guard judges its host when it is called. */
export const endpoint = z
  .string()
  .max(2_000)
  .superRefine((text, context) => {
    const message = endpointProblem(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

export function endpointProblem(text: string): string | undefined {
  try {
    const url = parseTarget(text);
    if (url.hash !== "") return "must end before #";
    if (url.protocol !== "https:" && !local.test(url.hostname))
      return "must be an https URL: credentials travel to it";
    return undefined;
  } catch (error) {
    return isNetError(error) ? error.message : "must be an https URL";
  }
}
