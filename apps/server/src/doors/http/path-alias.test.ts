import { describe, expect, it } from "vitest";
import { canonicalUrl } from "./path-alias.ts";

describe("path aliases", () => {
  it.each([
    ["/api/v1/runs", "/v1/runs"],
    ["/api/runs", "/v1/runs"],
    ["/api/runs?limit=2&cursor=%2Fapi%2Fv1", "/v1/runs?limit=2&cursor=%2Fapi%2Fv1"],
    ["/v1/orchestrations", "/v1/runs"],
    ["/v1/orchestrations?x=1", "/v1/runs?x=1"],
    ["/api/orchestrations/run_1/abort", "/v1/runs/run_1/abort"],
    ["/api/v1/orchestrations/run_1", "/v1/runs/run_1"],
    ["/api/webhooks", "/v1/webhooks"],
    ["/api/orchestrations/run_1/actions/retry", "/v1/runs/run_1/retry"],
    ["/v1/runs/run_1/actions/skip?x=1", "/v1/runs/run_1/skip?x=1"],
    ["/v1/orchestrations/run_1/actions/abort", "/v1/runs/run_1/abort"],
    ["/api/orchestrations/approvals", "/v1/gates"],
    ["/api/orchestrations/approvals?status=open", "/v1/gates?status=open"],
    ["/api/orchestrations/approvals/gat_1", "/v1/gates/gat_1"],
    ["/api/orchestrations/approvals/gat_1/decision", "/v1/gates/gat_1/answer"],
  ])("%s means %s", (from, to) => {
    expect(canonicalUrl(from)).toBe(to);
  });

  it.each([
    "/v1/runs",
    "/v1/runs?next=/api/v1/runs",
    "/api/webhook/orders",
    "/api/webhook/orders?x=/api/v1/y",
    "/api/webhook/v1/orchestrations",
    "/api/health",
    "/api/health?full=1",
    "/v1/orchestrationsx",
    "/v1/runs/run_1/actions",
    "/v1/runs/run_1/actions/pause",
    "/v1/runs/run_1/actions/retry/now",
    "/v1/runs/a/b/actions/retry",
    "/v1/approvals/apr_1/decision",
    "/apix/v1/runs",
    "/api",
    "/",
    "/health/live",
  ])("%s stays", (path) => {
    expect(canonicalUrl(path)).toBe(path);
  });

  it.each([
    ["/api/api/v1/runs", "/v1/api/v1/runs"],
    ["/api/v1/v1/runs", "/v1/v1/runs"],
    ["/api/v1/api/webhook/orders", "/v1/api/webhook/orders"],
    ["/api/v1/orchestrations/orchestrations", "/v1/runs/orchestrations"],
    ["/api//v1/runs", "/v1//v1/runs"],
  ])("%s is unwrapped once only, to %s", (from, to) => {
    expect(canonicalUrl(from)).toBe(to);
  });

  it.each(["/%61pi/v1/runs", "/api%2Fv1/runs", "/v1/%6Frchestrations", "//api/v1/runs", "/API/v1/runs"])(
    "the encoded spelling %s is not an alias",
    (path) => {
      expect(canonicalUrl(path)).toBe(path);
    },
  );
});
