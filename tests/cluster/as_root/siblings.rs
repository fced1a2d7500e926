//! Two Runs of one Pipeline at once: what `schedule.concurrency` makes of them, and that the table is right whatever it is.

use super::field::{Field, condition};
use super::fleet::{Fleet, NEVER, workers};
use super::gate::{Gate, Way};
use fleetloom_tests::proxy::{Choice, Moment};
use serde_json::json;
use std::thread;

/// Pipelines of one fleet, one for each way, with gates before their tables.
struct Scene {
    field: Field<'static>,
    fleet: Fleet,
    way: Way,
}

impl Scene {
    /// The first of two Runs, held at a moment of its life; the names of both.
    fn first(&self, how: &str, part: &str) -> (Gate, [String; 2]) {
        let (field, name) = (&self.field, how.to_lowercase());
        let schedule = format!("schedule: {{{NEVER}, concurrency: {how}}}");
        let result = field.result_at(&self.way.endpoint(), &name);
        self.fleet.pipeline(field, &name, &[&workers("inline: 0s"), &schedule], &result);
        let gate = self.way.gate(Moment::Request, &format!("/siblings/{name}/{part}"), 0);
        let runs = [1, 2].map(|number| format!("{name}-{number}"));
        field.start(&runs[0], &name, &json!({}));
        gate.reached();
        field.start(&runs[1], &name, &json!({}));
        (gate, runs)
    }

    /// How a Run ended: the reason; its version is the first.
    fn ended(&self, run: &str) -> String {
        let run = self.field.complete(run);
        assert_eq!(run["status"]["result"]["version"], 0, "{run:#}");
        condition(&run, "Complete")["reason"].as_str().expect("a word").to_owned()
    }

    fn is_right(&self, table: &str) {
        assert_eq!((self.field.versions(table), self.field.digest(table)), (1, self.fleet.digest.clone()), "{table}");
    }

    fn forbid(&self) {
        let (gate, [one, two]) = self.first("Forbid", "_fleetloom/plans/");
        let behind =
            self.field.kubectl.until("run", &two, |run| condition(run, "Planned")["reason"] == "OtherRunActive");
        let behind = behind.expect("it waits");
        assert_eq!(behind["status"]["phase"], "Pending", "{behind:#}");
        assert!(condition(&behind, "Planned")["message"].to_string().contains(&one), "{behind:#}");
        assert!(self.field.jobs(&two).is_empty());
        gate.open(Choice::Pass);
        assert_eq!([&one, &two].map(|run| self.ended(run)), ["Published", "NothingToDo"]);
        let [one, two] = [one, two].map(|run| self.field.complete(&run)["status"].clone());
        assert!(two["startTime"].as_str() >= one["completionTime"].as_str(), "{two:#} after {one:#}");
    }

    fn allow(&self) {
        let (gate, [one, two]) = self.first("Allow", "_delta_log/0");
        eprintln!("the second of two at once: {}", self.ended(&two));
        gate.open(Choice::Pass);
        eprintln!("the first, overtaken before it put its version: {}", self.ended(&one));
    }

    fn replace(&self) {
        let (gate, [one, two]) = self.first("Replace", "_fleetloom/reports/");
        self.field.kubectl.run(&["wait", "--for=delete", &format!("run/{one}"), "--timeout=120s"]).expect("it goes");
        gate.open(Choice::Pass);
        assert_eq!(self.ended(&two), "Published");
        ["job", "pod", "configmap"].iter().for_each(|kind| self.field.gone(kind, &one));
    }
}

#[test]
fn of_two_runs_of_a_pipeline_the_second_waits_goes_along_or_replaces_as_the_words_say() {
    let field = Field::new("siblings");
    let scene = Scene { fleet: Fleet::new(&field, 1, 2), way: Way::new(), field };
    thread::scope(|scope| {
        for case in [Scene::forbid, Scene::allow, Scene::replace] {
            let scene = &scene;
            scope.spawn(move || case(scene));
        }
    });
    ["forbid", "allow", "replace"].iter().for_each(|table| scene.is_right(table));
    scene.field.keeps_secrets(&[]);
}
