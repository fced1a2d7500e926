//! The physical plan as people read it, and what its operators came to.

use crate::arrange::RobotSignals;
use crate::compile::Compiled;
use crate::compute::ComputeError;
use crate::operator::Robots;
use datafusion::physical_plan::metrics::MetricValue;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use pipeline::time::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The plan of a pipeline, a line per operator, inputs indented below their reader. An event that several operators read is
/// shown below each of them and computed once per robot.
pub fn explain(compiled: &Compiled) -> String {
    let plan = compiled.plan(&Arc::new(Robots::new(Vec::new(), Span::ALL)));
    displayable(plan.rows.as_ref()).indent(false).to_string()
}

/// What the operators of a pipeline came to, over all robots that were computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// The operators as [`explain`] shows them.
    pub lines: Vec<OperatorLine>,
    /// The robots.
    pub robots: u64,
    names: BTreeSet<Arc<str>>,
}

/// One operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorLine {
    /// Readers above it.
    pub depth: usize,
    /// Its name and parameters.
    pub operator: String,
    /// Rows that it gave.
    pub rows: u64,
    /// What it took, its inputs aside, ns.
    pub elapsed_ns: u64,
    /// Memory of the batches that it gave, bytes; what two of them share counts twice.
    pub bytes: u64,
}

impl Analysis {
    /// Of no robot yet.
    pub fn of(compiled: &Compiled) -> Self {
        let plan = compiled.plan(&Arc::new(Robots::new(Vec::new(), Span::ALL)));
        let mut lines = Vec::new();
        walk(&plan.rows, 0, &mut |node, depth| {
            let operator = displayable(node.as_ref()).one_line().to_string().trim_end().to_owned();
            lines.push(OperatorLine { depth, operator, rows: 0, elapsed_ns: 0, bytes: 0 });
        });
        Self { lines, robots: 0, names: BTreeSet::new() }
    }

    fn add(&mut self, robot: &Arc<str>, plan: &Arc<dyn ExecutionPlan>) {
        if self.names.insert(Arc::clone(robot)) {
            self.robots += 1;
        }
        let mut lines = self.lines.iter_mut();
        walk(plan, 0, &mut |node, _| {
            let (Some(line), Some(metrics)) = (lines.next(), node.metrics()) else { return };
            let bytes = metrics.sum(|metric| matches!(metric.value(), MetricValue::OutputBytes(_)));
            line.rows += metrics.output_rows().unwrap_or_default() as u64;
            line.elapsed_ns += metrics.elapsed_compute().unwrap_or_default() as u64;
            line.bytes += bytes.map_or(0, |bytes| bytes.as_usize()) as u64;
        });
    }
}

/// Each operator, readers before what they read.
fn walk(node: &Arc<dyn ExecutionPlan>, depth: usize, each: &mut impl FnMut(&Arc<dyn ExecutionPlan>, usize)) {
    each(node, depth);
    for child in node.children() {
        walk(child, depth + 1, each);
    }
}

impl Compiled {
    /// Computes a robot's rows as [`Compiled::compute`] does, and adds what each operator came to.
    ///
    /// # Errors
    /// See [`ComputeError`].
    pub fn analyze(&self, robot: RobotSignals, span: Span, analysis: &mut Analysis) -> Result<(), ComputeError> {
        let name = Arc::clone(&robot.robot);
        let robots = Arc::new(Robots::new(vec![robot], span));
        let plan = self.plan(&robots);
        self.run(&plan.rows).map_err(|source| ComputeError { robot: Arc::clone(&name), source })?;
        analysis.add(&name, &plan.rows);
        Ok(())
    }
}
