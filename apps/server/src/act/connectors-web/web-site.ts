/** Config of connectors that speak HTTP with one site. */
import { z } from "zod";
import { webAuth } from "#act/connector-auth";
import { timeoutField } from "#act/connector-kit";
import { isNetError, parseTarget } from "#platform/net";
import { fixedHeaderProblem } from "./http-headers.ts";

export const baseUrl = z.string().superRefine((text, context) => {
  try {
    const url = parseTarget(text);
    if (url.search !== "" || url.hash !== "")
      context.addIssue({ code: "custom", message: "must end before ? and #" });
    if (/\/\/|%2f|%5c/i.test(url.pathname)) {
      context.addIssue({ code: "custom", message: "must not hold // or encoded slashes in its path" });
    }
  } catch (error) {
    context.addIssue({
      code: "custom",
      message: isNetError(error) ? error.message : "must be an http or https URL",
    });
  }
});

export const fixedHeaders = z.record(z.string(), z.string().max(4_000)).superRefine((fields, context) => {
  for (const [name, value] of Object.entries(fields)) {
    const message = fixedHeaderProblem(name, value);
    if (message !== undefined) context.addIssue({ code: "custom", path: [name], message });
  }
});

/** Fields of every config of this kind; `url` is where the interface is. */
export const siteFields = {
  url: baseUrl,
  auth: webAuth.optional(),
  timeout: timeoutField.default(30_000),
} as const;

/** `host/path` of a base URL without its last slash. */
export const siteOf = (text: string): string => {
  const url = parseTarget(text);
  return `${url.host}${url.pathname.replace(/\/$/, "")}`;
};

/** The base URL without its last slash. */
export const trimmed = (text: string): string => parseTarget(text).href.replace(/\/$/, "");
