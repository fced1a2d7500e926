//! Functions that the standard library leaves to the system's C library, whose last digit differs from version to version and from
//! processor to processor (with and without fused multiply-add): computed by one library in plain arithmetic instead, so that a
//! row is the same everywhere.
//!
//! Names, signatures and types are DataFusion's. What is exact by IEEE 754 (`sqrt`, rounding, the remainder) stays its own.

use arrow::array::{AsArray, Float64Array};
use arrow::compute::{cast, try_binary};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_err};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use std::sync::Arc;

/// How a function is computed.
#[derive(Clone, Copy)]
enum Formula {
    /// Of one number.
    One(fn(f64) -> f64),
    /// Of two; `None` where it is not defined, which fails the row.
    Two(fn(f64, f64) -> Option<f64>),
    /// Base and number, or the number alone, to base 10.
    Log,
}

const FORMULAS: [(&str, Formula); 21] = [
    ("acos", Formula::One(libm::acos)),
    ("acosh", Formula::One(libm::acosh)),
    ("asin", Formula::One(libm::asin)),
    ("asinh", Formula::One(libm::asinh)),
    ("atan", Formula::One(libm::atan)),
    ("atan2", Formula::Two(|y, x| Some(libm::atan2(y, x)))),
    ("atanh", Formula::One(libm::atanh)),
    ("cbrt", Formula::One(libm::cbrt)),
    ("cos", Formula::One(libm::cos)),
    ("cosh", Formula::One(libm::cosh)),
    ("cot", Formula::One(|x| 1.0 / libm::tan(x))),
    ("exp", Formula::One(libm::exp)),
    ("ln", Formula::One(libm::log)),
    ("log", Formula::Log),
    ("log10", Formula::One(libm::log10)),
    ("log2", Formula::One(libm::log2)),
    ("power", Formula::Two(power)),
    ("sin", Formula::One(libm::sin)),
    ("sinh", Formula::One(libm::sinh)),
    ("tan", Formula::One(libm::tan)),
    ("tanh", Formula::One(libm::tanh)),
];

/// Puts these functions in the place of the session's.
///
/// Errors: the session has no function of such a name, or does not take it.
pub(super) fn pin(state: &mut SessionState) -> Result<()> {
    for (formula, (name, _)) in FORMULAS.iter().enumerate() {
        let inner = state.udf(name)?;
        state.register_udf(Arc::new(ScalarUDF::from(Pinned { inner, formula })))?;
    }
    Ok(())
}

/// A function of DataFusion's, computed by a formula of ours.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Pinned {
    inner: Arc<ScalarUDF>,
    /// Index among [`FORMULAS`].
    formula: usize,
}

impl ScalarUDFImpl for Pinned {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let numbers = arrays.iter().map(|array| cast(array, &DataType::Float64)).collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<&Float64Array> = numbers.iter().map(|array| array.as_primitive::<Float64Type>()).collect();
        let values = match (FORMULAS[self.formula].1, numbers.as_slice()) {
            (Formula::One(formula), [x]) => x.unary(formula),
            (Formula::Two(formula), [x, y]) => pairwise(x, y, formula)?,
            (Formula::Log, [x]) => x.unary(libm::log10),
            (Formula::Log, [base, x]) => pairwise(base, x, |base, x| Some(log(base, x)))?,
            _ => return exec_err!("{} does not take {} numbers", self.name(), numbers.len()),
        };
        Ok(ColumnarValue::Array(cast(&values, args.return_field.data_type())?))
    }
}

fn pairwise(x: &Float64Array, y: &Float64Array, formula: fn(f64, f64) -> Option<f64>) -> Result<Float64Array> {
    let undefined = || ArrowError::ComputeError("not defined for these numbers".to_owned());
    Ok(try_binary(x, y, |x, y| formula(x, y).ok_or_else(undefined))?)
}

/// Zero to a negative power is not defined, as in SQL.
fn power(base: f64, exponent: f64) -> Option<f64> {
    (base != 0.0 || exponent >= 0.0 || exponent.is_nan()).then(|| libm::pow(base, exponent))
}

fn log(base: f64, x: f64) -> f64 {
    // Exactly, where there is a function of that base.
    if base == 10.0 {
        libm::log10(x)
    } else if base == 2.0 {
        libm::log2(x)
    } else {
        libm::log(x) / libm::log(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::{Purpose, Scope, Sql};
    use arrow::array::{ArrayRef, RecordBatch};
    use arrow::datatypes::{Field, Schema};

    /// What an expression of `x` and `y` says of numbers.
    fn said(text: &str, numbers: &[(f64, f64)]) -> Vec<Option<f64>> {
        let fields = ["x", "y"].map(|name| Field::new(name, DataType::Float64, true));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let columns = [0, 1].map(|side| {
            let column = numbers.iter().map(|pair| if side == 0 { pair.0 } else { pair.1 });
            Arc::new(column.collect::<Float64Array>()) as ArrayRef
        });
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.to_vec()).unwrap();
        let mut scope = Scope::new(vec![("x".to_owned(), DataType::Float64), ("y".to_owned(), DataType::Float64)]);
        ["x", "y"].into_iter().enumerate().for_each(|(field, name)| scope.name(name, field));
        let expression = Sql::new().expression(text, &scope, Purpose::Value).unwrap();
        expression.evaluate(&batch).values.as_primitive::<Float64Type>().iter().collect()
    }

    type Computed = fn(f64, f64) -> f64;

    #[test]
    fn bits_are_those_of_the_library_in_plain_arithmetic() {
        let numbers = [(0.3, 2.5), (17.25, -1.75), (1e6 + 0.1, 0.5), (1e-300, 3.0)];
        let calls: [(&str, Computed); 9] = [
            ("sin(x)", |x, _| libm::sin(x)),
            ("tanh(x)", |x, _| libm::tanh(x)),
            ("exp(y)", |_, y| libm::exp(y)),
            ("ln(x)", |x, _| libm::log(x)),
            ("log(x)", |x, _| libm::log10(x)),
            ("log(3, x)", |x, _| libm::log(x) / libm::log(3.0)),
            ("pow(x, y)", libm::pow),
            ("atan2(x, y)", libm::atan2),
            ("cot(x)", |x, _| 1.0 / libm::tan(x)),
        ];
        for (text, formula) in calls {
            let expected: Vec<Option<f64>> = numbers.iter().map(|(x, y)| Some(formula(*x, *y))).collect();
            assert_eq!(said(text, &numbers), expected, "{text}");
        }
    }

    #[test]
    fn every_function_of_the_system_s_library_is_pinned() {
        let numbers: Vec<(f64, f64)> = (1..200).map(|n| (f64::from(n) / 210.0, f64::from(n) / 7.0)).collect();
        for (name, formula) in FORMULAS {
            let text = if matches!(formula, Formula::Two(_)) { format!("{name}(x, y)") } else { format!("{name}(x)") };
            for (found, pair) in said(&text, &numbers).into_iter().zip(&numbers) {
                let near = near(name, *pair);
                let found = found.unwrap_or(f64::NAN);
                let is_same = found.is_nan() && near.is_nan() || (found - near).abs() <= near.abs() * 1e-14;
                assert!(is_same, "{name} of {pair:?}: {found}, about {near}");
            }
        }
    }

    /// What the system's library says, to its last digits.
    fn near(name: &str, (x, y): (f64, f64)) -> f64 {
        match name {
            "acos" => x.acos(),
            "acosh" => x.acosh(),
            "asin" => x.asin(),
            "asinh" => x.asinh(),
            "atan" => x.atan(),
            "atan2" => x.atan2(y),
            "atanh" => x.atanh(),
            "cbrt" => x.cbrt(),
            "cos" => x.cos(),
            "cosh" => x.cosh(),
            "cot" => 1.0 / x.tan(),
            "exp" => x.exp(),
            "ln" => x.ln(),
            "log" | "log10" => x.log10(),
            "log2" => x.log2(),
            "power" => x.powf(y),
            "sin" => x.sin(),
            "sinh" => x.sinh(),
            "tan" => x.tan(),
            "tanh" => x.tanh(),
            other => unreachable!("{other} has no counterpart here"),
        }
    }

    #[test]
    fn zero_to_a_negative_power_fails_its_row_and_nothing_else() {
        assert_eq!(said("power(x, y)", &[(0.0, -1.0), (2.0, -1.0), (0.0, 0.0)]), [None, Some(0.5), Some(1.0)]);
    }
}
