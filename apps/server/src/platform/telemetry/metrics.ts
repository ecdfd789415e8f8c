import type { Registry } from "prom-client";
import { seriesIn } from "./series.ts";

export type Metrics = ReturnType<typeof createMetrics>;

const runSeconds = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400];
const stepSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
const queueSeconds = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60];
const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const commitSeconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const batchRows = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000];

/**
 * The business metrics. Labels name code, not data: flows, step kinds, tools, routes and states; never a
 * tenant, an id or a URL. Flow and tool names come from tenants, so their number is capped (series.ts).
 */
export function createMetrics(registry: Registry) {
  const make = seriesIn(registry);
  return {
    runs: make.counters("orchestration_runs_total", "Runs by flow and state reached", [
      "definition",
      "status",
    ]),
    runDuration: make.histograms(
      "orchestration_run_duration_seconds",
      "From start to end of a run",
      ["definition", "status"],
      runSeconds,
    ),
    stepDuration: make.histograms(
      "orchestration_step_duration_seconds",
      "Execution of one step attempt, by step kind",
      ["kind", "status"],
      stepSeconds,
    ),
    stepQueue: make.histograms(
      "orchestration_step_queue_seconds",
      "From ready to started, by step kind",
      ["kind"],
      queueSeconds,
    ),
    httpRequests: make.counters("oars_http_requests_total", "API requests by route pattern", [
      "method",
      "route",
      "status",
    ]),
    httpDuration: make.histograms(
      "oars_http_request_duration_seconds",
      "API requests by route pattern",
      ["method", "route"],
      requestSeconds,
    ),
    actions: make.counters("oars_actions_total", "Actions by tool and state reached", ["tool", "state"]),
    commitBatch: make.histogram("oars_commit_batch_size", "Rows written by one group commit", batchRows),
    commitDuration: make.histogram("oars_commit_duration_seconds", "One group commit", commitSeconds),
    commitRefused: make.counter("oars_commit_refused_total", "Write sets refused by a fence"),
    receipts: make.counters("oars_receipts_total", "Receipts signed, by type", ["type"]),
    logUnsequenced: make.gauge("oars_log_unsequenced", "Receipts that wait for their place in the log"),
    logRefused: make.gauge(
      "oars_log_refused",
      "Logs that this process refuses to sign, because the stored tree differs from what was signed",
    ),
    invariantViolations: make.counters(
      "oars_invariant_violations_total",
      "Runs found in a state that should not be, and repaired",
      ["invariant"],
    ),
    jobs: make.counters("oars_jobs_total", "Runs of background jobs by this process", ["job", "status"]),
    claimDuration: make.histogram(
      "oars_claim_duration_seconds",
      "One claim of queued runs, also one that found none",
      requestSeconds,
    ),
    runsInHand: make.gauge("oars_runs_in_hand", "Runs that this process executes now"),
    memoryShare: make.gauge("oars_memory_share", "Memory in use, as a share of what this process may have"),
    strained: make.gauge("oars_strained", "1 while this process takes on no further runs for want of memory"),
    alerts: make.counters("oars_alerts_total", "Alerts raised, by code and severity", ["code", "severity"]),
    deliveries: make.counters(
      "oars_deliveries_total",
      "Attempts to deliver events and alerts, by kind of target",
      ["kind", "outcome"],
    ),
    deliveryQueued: make.gauge("oars_delivery_queued", "Events and alerts that wait for their targets"),
    deliveryLag: make.gauge("oars_delivery_lag_seconds", "Age of the oldest that waits for its target"),
    deadLetters: make.gauge("oars_dead_letters_open", "Deliveries that were given up and not dealt with"),
    outboxPending: make.gauge("oars_outbox_pending", "Events that wait for delivery"),
  };
}
