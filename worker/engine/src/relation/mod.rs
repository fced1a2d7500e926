//! Relations that look along the time of a robot, for whoever asks in SQL: `nearest_join` and `look_back`.
//!
//! ```text
//! SQL ─► arguments (names become subqueries) ─► logical nodes ─► NearestJoinExec, LookBackExec ─► kernels
//!        call                                   node             nearest, look_back
//! ```
//! They know no archive and no pipeline: any relations with a `robot` and a `time` will do. The kernels are those of the
//! pipelines, so what is found here is what a run finds. Both read their inputs by robot and time, as streams: what is held is
//! a tolerance, or a span, of one robot.

mod call;
mod held;
mod look_back;
mod nearest;
mod node;
mod place;
mod plan;
mod wanted;

pub use call::{statements, with_relations};
pub use wanted::Wanted;

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricType};
use std::sync::Arc;

/// The names of the relations, which stand in FROM with arguments.
pub const NAMES: [&str; 2] = ["nearest_join", "look_back"];

/// A session that knows the relations.
pub fn session(session: SessionStateBuilder) -> SessionStateBuilder {
    session
        .with_relation_planners(vec![Arc::new(plan::Relations)])
        .with_query_planner(Arc::new(plan::Planner))
        .with_optimizer_rule(Arc::new(node::Narrow))
}

/// The most memory that an operator held.
fn peak(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Gauge {
    MetricBuilder::new(metrics).with_type(MetricType::Summary).peak_memory_usage("peak_mem_used", partition)
}
