// Package promql evaluates the chart's alerts on samples with Prometheus' own engine, and reads every expression of the dashboard.
//
// $PROMETHEUS_RULE and $DASHBOARD name what the chart renders, $METRICS the list of metrics in the operator's source.
package promql

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"go.yaml.in/yaml/v3"
)

var promql = parser.NewParser(parser.Options{})

func read(t *testing.T, variable string) []byte {
	t.Helper()
	text, err := os.ReadFile(os.Getenv(variable))
	if err != nil {
		t.Fatalf("$%s: %v", variable, err)
	}
	return text
}

// rules are those of the PrometheusRule, checked as Prometheus does when it loads them: expressions and the templates of texts.
func rules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	var object struct {
		Spec map[string]any `yaml:"spec"`
	}
	if err := yaml.Unmarshal(read(t, "PROMETHEUS_RULE"), &object); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(object.Spec)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.LegacyValidation, promql, slog.Default())
	for _, err := range errs {
		t.Error(err)
	}
	found := map[string]rulefmt.Rule{}
	if groups != nil {
		for _, group := range groups.Groups {
			for _, rule := range group.Rules {
				found[rule.Alert] = rule
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("no alert is there")
	}
	return found
}

// What is loaded, once a minute, and when an alert fires. `OURS` stands for the labels that a scrape gives. A counter that was
// not there before its first sample is the usual case: the operator makes it when the first thing of its kind happens.
var cases = []struct {
	name, alert, load, at, expected string
}{
	{"an operator that gives no metrics is down", "FleetloomOperatorDown",
		`fleetloom_build_info{namespace="elsewhere",job="fleetloom-operator"} 1x60`, "30m", `{OURS} 1`},
	{"an operator that gives metrics is not down", "FleetloomOperatorDown",
		`fleetloom_build_info{version="0.1.0",OURS} 1x60`, "30m", ``},
	{"the first failed Run is seen", "FleetloomRunFailed",
		`fleetloom_runs_ended_total{phase="Failed",reason="GateRefused",OURS} _x20 1x40`, "25m", `{reason="GateRefused"} 1`},
	{"the second failed Run is seen", "FleetloomRunFailed",
		`fleetloom_runs_ended_total{phase="Failed",reason="GateRefused",OURS} 1x19 2x40`, "25m", `{reason="GateRefused"} 1.0714285714285714`},
	{"a failed Run is forgotten", "FleetloomRunFailed",
		`fleetloom_runs_ended_total{phase="Failed",reason="GateRefused",OURS} _x20 1x60`, "45m", ``},
	{"a complete Run is no alert", "FleetloomRunFailed",
		`fleetloom_runs_ended_total{phase="Complete",reason="Published",OURS} _x20 1x40`, "25m", ``},
	{"a Run that has not got on for too long is stuck, whatever others do", "FleetloomRunsStuck",
		`fleetloom_oldest_run_seconds{phase="Running",OURS} 0+60x100
		 fleetloom_oldest_run_seconds{phase="Planning",OURS} 5x100
		 fleetloom_writes_total{call="WriteStatus",OURS} 5+1x100`, "61m", `{phase="Running"} 3660`},
	{"a Run that has not got on for an hour is not stuck yet", "FleetloomRunsStuck",
		`fleetloom_oldest_run_seconds{phase="Running",OURS} 0+60x100`, "60m", ``},
	{"a Run that got on is not stuck", "FleetloomRunsStuck",
		`fleetloom_oldest_run_seconds{phase="Running",OURS} 0+60x59 0+60x40`, "90m", ``},
	{"a Run that was stuck is so for an operator that has just started", "FleetloomRunsStuck",
		`fleetloom_oldest_run_seconds{phase="Committing",pod="a",OURS} 0+60x70
		 fleetloom_oldest_run_seconds{phase="Committing",pod="b",OURS} _x71 4260+60x20`, "75m", `{phase="Committing"} 4500`},
	{"Runs that have not begun are not stuck", "FleetloomRunsStuck",
		`fleetloom_oldest_run_seconds{phase="Pending",OURS} 0+60x200`, "3h", ``},
	{"errors at a steady rate are an alert", "FleetloomReconcileErrors",
		`fleetloom_reconciles_total{kind="Run",outcome="error",OURS} 0+2x60`, "30m", `{kind="Run"} 2`},
	{"an error now and then is none", "FleetloomReconcileErrors",
		`fleetloom_reconciles_total{kind="Run",outcome="error",OURS} 0+0.1x60`, "30m", ``},
	{"status that is late is an alert", "FleetloomStatusLate",
		`fleetloom_status_lag_seconds_bucket{le="30.0",OURS} 0x60
		 fleetloom_status_lag_seconds_bucket{le="60.0",OURS} 0+10x60
		 fleetloom_status_lag_seconds_bucket{le="+Inf",OURS} 0+10x60`, "30m", `{} 59.7`},
	{"status in time is none", "FleetloomStatusLate",
		`fleetloom_status_lag_seconds_bucket{le="30.0",OURS} 0+10x60
		 fleetloom_status_lag_seconds_bucket{le="60.0",OURS} 0+10x60
		 fleetloom_status_lag_seconds_bucket{le="+Inf",OURS} 0+10x60`, "30m", ``},
	{"an object of another version is an alert", "FleetloomUndecodable",
		`fleetloom_undecodable_total{kind="Pipeline",OURS} _x20 1x60`, "25m", `{kind="Pipeline"} 1`},
	{"a missed schedule is an alert", "FleetloomScheduleMissed",
		`fleetloom_scheduled_total{outcome="missed",OURS} _x20 2x60
		 fleetloom_scheduled_total{outcome="started",OURS} 0+1x80`, "25m", `{} 2`},
	{"three failed looks are an alert", "FleetloomPollsFail",
		`fleetloom_polls_total{outcome="failed",OURS} _x20 1 2 3 3x60`, "25m", `{} 3`},
	{"two are none", "FleetloomPollsFail",
		`fleetloom_polls_total{outcome="failed",OURS} _x20 1 2 2x60`, "25m", ``},
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	found := rules(t)
	tried := map[string]bool{}
	for _, c := range cases {
		tried[c.alert] = true
		t.Run(c.name, func(t *testing.T) {
			script := fmt.Sprintf("load 1m\n\t%s\n\neval instant at %s %s\n\t%s\n", c.load, c.at, found[c.alert].Expr, c.expected)
			script = strings.ReplaceAll(script, "OURS", `namespace="looms",job="fleetloom-operator"`)
			promqltest.RunTest(t, script, promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000))
		})
	}
	for alert := range found {
		if !tried[alert] {
			t.Errorf("no case tries %s", alert)
		}
	}
}

// expressions are those of the alerts and of the dashboard, its variables filled in.
func expressions(t *testing.T) []string {
	var all []string
	for _, rule := range rules(t) {
		all = append(all, rule.Expr)
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read(t, "DASHBOARD"), &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$namespace", "looms", "$job", ".*", "$__rate_interval", "5m", "$__range", "6h")
	before := len(all)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			all = append(all, variables.Replace(target.Expr))
		}
	}
	if len(all) == before {
		t.Fatal("the dashboard asks for nothing")
	}
	return all
}

// metrics are the operator's, each with its labels.
func metrics(t *testing.T) map[string]map[string]bool {
	line := regexp.MustCompile(`\("(fleetloom_\w+)", "([^"]*)", "`)
	found := map[string]map[string]bool{}
	for _, match := range line.FindAllStringSubmatch(string(read(t, "METRICS")), -1) {
		labels := map[string]bool{"__name__": true, "namespace": true, "job": true, "le": true}
		for _, label := range strings.Split(match[2], ", ") {
			labels[label] = true
		}
		found[match[1]] = labels
		found[match[1]+"_bucket"] = labels
	}
	if len(found) == 0 {
		t.Fatal("no metric was found")
	}
	return found
}

func TestEveryExpressionAsksForMetricsThatThereAre(t *testing.T) {
	known := metrics(t)
	for _, text := range expressions(t) {
		expression, err := promql.ParseExpr(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			selector, is := node.(*parser.VectorSelector)
			if !is {
				return nil
			}
			labels, is := known[selector.Name]
			if !is {
				t.Errorf("%s: the operator has no metric %s", text, selector.Name)
			}
			for _, matcher := range selector.LabelMatchers {
				if !labels[matcher.Name] {
					t.Errorf("%s: %s has no label %s", text, selector.Name, matcher.Name)
				}
			}
			return nil
		})
	}
}
