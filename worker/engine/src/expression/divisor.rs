//! Dividing by zero is a failure for every number type. IEEE makes it an infinity, which would pass for a value.
//!
//! `int64` division fails by itself; float division and remainder are replaced by functions that check first.

use arrow::array::{Array, AsArray};
use arrow::compute::kernels::numeric::{div, rem};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr_common::datum::apply;
use std::sync::{Arc, LazyLock};

/// A float division or remainder that fails on a zero divisor below a dividend that is not null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    name: &'static str,
    signature: Signature,
}

static DIVIDE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| checked("divide"));
static REMAINDER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| checked("remainder"));

fn checked(name: &'static str) -> Arc<ScalarUDF> {
    let signature = Signature::exact(vec![DataType::Float64, DataType::Float64], Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Checked { name, signature }))
}

/// Replaces each float division and remainder of a coerced expression, unless its divisor is a literal other than zero.
pub(super) fn guard(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let guarded = expr.transform_up(|node| match node {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Divide | Operator::Modulo), right })
            if right.get_type(schema)? == DataType::Float64 && !is_safe(&right) =>
        {
            let function = if op == Operator::Divide { &DIVIDE } else { &REMAINDER };
            Ok(Transformed::yes(function.call(vec![*left, *right])))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(guarded.data)
}

fn is_safe(divisor: &Expr) -> bool {
    match divisor {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => *value != 0.0,
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => *value != 0,
        Expr::Cast(cast) => is_safe(&cast.expr),
        _ => false,
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [dividend, divisor] = args.args.as_slice() else { return exec_err!("{} takes two arguments", self.name) };
        if divides_by_zero(dividend, divisor, args.number_rows)? {
            return exec_err!("division by zero");
        }
        apply(dividend, divisor, if self.name == "divide" { div } else { rem })
    }
}

fn divides_by_zero(dividend: &ColumnarValue, divisor: &ColumnarValue, rows: usize) -> Result<bool> {
    if !may_be_zero(divisor) {
        return Ok(false);
    }
    let (dividend, divisor) = (dividend.to_array(rows)?, divisor.to_array(rows)?);
    let floats = divisor.as_primitive::<Float64Type>();
    Ok((0..rows).any(|row| dividend.is_valid(row) && floats.is_valid(row) && floats.value(row) == 0.0))
}

/// A quick look that may be wrong about zeros under nulls.
fn may_be_zero(divisor: &ColumnarValue) -> bool {
    match divisor {
        ColumnarValue::Scalar(ScalarValue::Float64(value)) => *value == Some(0.0),
        ColumnarValue::Scalar(_) => false,
        ColumnarValue::Array(values) => values.as_primitive::<Float64Type>().values().contains(&0.0),
    }
}
