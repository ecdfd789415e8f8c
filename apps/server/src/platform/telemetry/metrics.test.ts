import { describe, expect, it } from "vitest";
import { createTelemetry, type Telemetry } from "./index.ts";

const telemetry = (): Telemetry => createTelemetry({ level: "silent", name: "test", processMetrics: false });

describe("metrics", () => {
  it("are there under the names that dashboards and alerts know", async () => {
    const { registry } = telemetry();
    const names = (await registry.getMetricsAsJSON()).map((metric) => metric.name);
    expect(names).toEqual([
      "orchestration_runs_total",
      "orchestration_run_duration_seconds",
      "orchestration_step_duration_seconds",
      "orchestration_step_queue_seconds",
      "oars_http_requests_total",
      "oars_http_request_duration_seconds",
      "oars_actions_total",
      "oars_commit_batch_size",
      "oars_commit_duration_seconds",
      "oars_commit_refused_total",
      "oars_receipts_total",
      "oars_log_unsequenced",
      "oars_log_refused",
      "oars_invariant_violations_total",
      "oars_jobs_total",
      "oars_claim_duration_seconds",
      "oars_runs_in_hand",
      "oars_memory_share",
      "oars_strained",
      "oars_alerts_total",
      "oars_deliveries_total",
      "oars_delivery_queued",
      "oars_delivery_lag_seconds",
      "oars_dead_letters_open",
      "oars_outbox_pending",
    ]);
  });

  it("count, set and observe, and render as Prometheus text", async () => {
    const { metrics, registry } = telemetry();
    metrics.runs.with("orders", "completed").inc();
    metrics.runs.with("orders", "completed").inc(2);
    metrics.runs.with('odd"name\n', "failed").inc();
    metrics.logUnsequenced.set(7);
    metrics.commitRefused.inc();
    for (const seconds of [0.0004, 0.001, 0.003, 9]) metrics.commitDuration.observe(seconds);
    const text = await registry.metrics();
    expect(text).toContain('orchestration_runs_total{definition="orders",status="completed"} 3');
    expect(text).toContain('orchestration_runs_total{definition="odd\\"name\\n",status="failed"} 1');
    expect(text).toContain("oars_log_unsequenced 7");
    expect(text).toContain("oars_commit_refused_total 1");
    expect(text).toContain("# TYPE oars_commit_duration_seconds histogram");
    for (const line of [
      '{le="0.0005"} 1',
      '{le="0.001"} 2',
      '{le="0.005"} 3',
      '{le="1"} 3',
      '{le="+Inf"} 4',
    ]) {
      expect(text).toContain(`oars_commit_duration_seconds_bucket${line}`);
    }
    expect(text).toContain("oars_commit_duration_seconds_count 4");
    expect(text).toMatch(/oars_commit_duration_seconds_sum 9\.0044/);
  });

  it("give one child for the same label values, so that a caller may keep it", () => {
    const { metrics } = telemetry();
    expect(metrics.stepDuration.with("xml.parse", "completed")).toBe(
      metrics.stepDuration.with("xml.parse", "completed"),
    );
    expect(metrics.stepDuration.with("xml.parse", "failed")).not.toBe(
      metrics.stepDuration.with("xml.parse", "completed"),
    );
  });

  it("stay bounded when tenants invent names: what comes late is counted as `other`", async () => {
    const { metrics, registry } = telemetry();
    for (let i = 0; i < 5_000; i++) metrics.actions.with(`tool-${i}/http.request`, "completed").inc();
    const lines = (await registry.metrics())
      .split("\n")
      .filter((line) => line.startsWith("oars_actions_total{"));
    expect(lines).toHaveLength(1_001);
    expect(lines).toContain('oars_actions_total{tool="other",state="other"} 4000');
  });

  it("of two servers in one process are apart", async () => {
    const [one, two] = [telemetry(), telemetry()];
    one.metrics.receipts.with("action.completed").inc();
    expect(await two.registry.metrics()).not.toContain("action.completed");
  });

  it("of the process are included unless switched off", async () => {
    const { registry } = createTelemetry({ level: "silent", name: "test" });
    expect(await registry.metrics()).toContain("process_cpu_seconds_total");
  });
});
