//! What tests of whole flows begin with: a pipeline of one signal, and a run of it.

use crate::plan::Ask;
use engine::compile::{Compiled, compile};
use pipeline::check::check;
use pipeline::read::Words;
use pipeline::spec::Recompute;

/// A pipeline with a row per observation of `speed`, whose archive has these words besides: where its members are.
pub(crate) fn speeds(archive: &str) -> Compiled {
    let words = format!(
        r#"
apiVersion: fleetloom.dev/v1alpha1
kind: Archive
metadata: {{name: speeds}}
spec:
  store: {{url: /archive/}}
  {archive}
  format: Json
  robot: {{capture: robot}}
  signals:
  - {{name: speed, at: "/speed[*]", times: [{{name: event, field: /ts, unit: ms}}], columns: [{{name: v}}]}}
---
apiVersion: fleetloom.dev/v1alpha1
kind: Pipeline
metadata: {{name: speeds}}
spec:
  archive: speeds
  rows: {{signal: speed}}
  result: {{store: {{url: /result/}}}}
"#
    );
    compile(&check(&Words::read(&words, None, Some("/"))).unwrap().pipelines[0]).unwrap()
}

/// A run of all that is stale.
pub(crate) fn ask() -> Ask {
    Ask { run: "r".to_owned(), range: None, recompute: Recompute::Stale, asked_ms: 0 }
}
