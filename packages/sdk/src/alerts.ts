import type {
  Alert,
  AlertDetail,
  AlertFilter,
  AlertRoute,
  AlertRouteList,
  AlertRule,
  AlertRuleList,
  AnswerAlertRequest,
  Page,
  PutAlertRuleRequest,
  SetAlertRouteRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createAlerts = (transport: Transport) => ({
  /** Newest first. */
  list: (query: ListQuery<AlertFilter> = {}, options?: CallOptions): Listing<Alert> =>
    toListing((cursor): Promise<Page<Alert>> => {
      const target = withQuery("/v1/alerts", { ...query, cursor });
      return transport.json({ method: "GET", path: target, options });
    }, query.cursor),
  /** With who was told of it and who answered. */
  get: (id: string, options?: CallOptions): Promise<AlertDetail> =>
    transport.json({ method: "GET", path: path`/v1/alerts/${id}`, options }),
  /** It is passed on no further. Errors: ALERT_STATE. */
  acknowledge: (id: string, answer: AnswerAlertRequest = {}, options?: CallOptions): Promise<AlertDetail> =>
    transport.json({ method: "POST", path: path`/v1/alerts/${id}/acknowledge`, body: answer, options }),
  /** What happens again is a new alert. Errors: ALERT_STATE. */
  resolve: (id: string, answer: AnswerAlertRequest = {}, options?: CallOptions): Promise<AlertDetail> =>
    transport.json({ method: "POST", path: path`/v1/alerts/${id}/resolve`, body: answer, options }),
  routes: (options?: CallOptions): Promise<AlertRouteList> =>
    transport.json({ method: "GET", path: "/v1/admin/ops/alert-routing", options }),
  /** Errors: ALERT_CHANNEL_UNKNOWN. */
  setRoute: (route: SetAlertRouteRequest, options?: CallOptions): Promise<AlertRoute> =>
    transport.json({ method: "POST", path: "/v1/admin/ops/alert-routing", body: route, options }),
  rules: (options?: CallOptions): Promise<AlertRuleList> =>
    transport.json({ method: "GET", path: "/v1/alert-rules", options }),
  putRule: (name: string, rule: PutAlertRuleRequest, options?: CallOptions): Promise<AlertRule> =>
    transport.json({ method: "PUT", path: path`/v1/alert-rules/${name}`, body: rule, options }),
  deleteRule: (name: string, options?: CallOptions): Promise<void> =>
    transport.json({ method: "DELETE", path: path`/v1/alert-rules/${name}`, options }),
});
