//! The words that a field may have: each enum is a closed list, spelled here.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Declares a CamelCase word enum with its spelling, and the list of its words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $(= $text:literal)?),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* $(#[serde(rename = $text)])? $variant),+ }

        impl $name {
            /// Every word, in the order in which they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    };
}

words!(
    /// How the bytes of a member are laid out.
    Format {
        /// One document (or several, concatenated).
        Json,
        /// One document per line.
        NdJson,
    }
);
words!(
    /// What happens when the capture and the document name different robots.
    OnConflict {
        /// The member's observations go to quarantine.
        Quarantine,
        /// The capture holds.
        Capture,
        /// The document holds.
        Document,
    }
);
words!(
    /// What happens to observations of one robot and signal with equal time.
    Duplicates {
        /// The last in archive order stays.
        Last,
        /// The first in archive order stays.
        First,
        /// All stay; a match takes the last.
        Keep,
    }
);
words!(
    /// What becomes of infinities.
    Infinite {
        /// They are values.
        Keep,
        /// They become null.
        Null,
    }
);
words!(
    /// What becomes of a value that does not fit its column.
    OnMismatch {
        /// The observation goes to quarantine.
        Quarantine,
        /// The value becomes null.
        Null,
    }
);
words!(
    /// How a time is written.
    Unit {
        /// Seconds.
        Seconds = "s",
        /// Milliseconds.
        Millis = "ms",
        /// Microseconds.
        Micros = "us",
        /// Nanoseconds.
        Nanos = "ns",
        /// ISO 8601 text.
        Iso8601,
        /// Text in a strptime format.
        Format,
    }
);
words!(
    /// Type of a column.
    ColumnType {
        /// IEEE double.
        Float64 = "float64",
        /// Signed 64-bit integer.
        Int64 = "int64",
        /// True or false.
        Bool = "bool",
        /// UTF-8 text.
        String = "string",
        /// A time.
        Timestamp = "timestamp",
    }
);
words!(
    /// Whether numbers written as strings are numbers.
    TextAs {
        /// They are.
        Number,
    }
);
words!(
    /// Which change of an event's condition is an onset.
    Edge {
        /// From false to true.
        Rise,
        /// From true to false.
        Fall,
        /// Either.
        Change,
    }
);
words!(
    /// Which neighbour a join takes.
    Direction {
        /// The least distance; equal distance: the earlier.
        Nearest,
        /// The last at or before the row.
        Backward,
        /// The first at or after the row.
        Forward,
    }
);
words!(
    /// What a window looks at.
    Over {
        /// The base rows' values.
        Rows,
        /// Each observation of the column's signal once.
        Observations,
    }
);
words!(
    /// What becomes of invalid rows.
    Invalid {
        /// They are written with their reason.
        Keep,
        /// They are left out and counted.
        Drop,
    }
);
words!(
    /// What a Run computes anew.
    Recompute {
        /// What changed.
        Stale,
        /// Everything.
        All,
    }
);
words!(
    /// What a schedule does when an earlier Run of the pipeline is still active.
    Concurrency {
        /// Start beside it.
        Allow,
        /// Wait until it has ended, as long as `startingDeadline` allows.
        Forbid,
        /// Stop the earlier one.
        Replace,
    }
);
words!(
    /// One number computed in a window.
    Statistic {
        /// Number of values.
        Count = "count",
        /// Arithmetic mean.
        Mean = "mean",
        /// Sample standard deviation.
        Std = "std",
        /// Least value.
        Min = "min",
        /// Greatest value.
        Max = "max",
        /// max - min.
        Range = "range",
        /// Sum.
        Sum = "sum",
        /// First value.
        First = "first",
        /// Last value.
        Last = "last",
        /// last - first.
        Delta = "delta",
        /// Least squares of value over seconds.
        Slope = "slope",
        /// Root of the mean square.
        Rms = "rms",
        /// Population g1.
        Skew = "skew",
        /// Population g2, excess.
        Kurtosis = "kurtosis",
        /// Mean distance of consecutive values.
        MeanAbsChange = "mean_abs_change",
        /// Greatest distance of consecutive values.
        MaxAbsChange = "max_abs_change",
        /// 5th percentile, type 7.
        P05 = "p05",
        /// 25th percentile, type 7.
        P25 = "p25",
        /// Median, type 7.
        P50 = "p50",
        /// 75th percentile, type 7.
        P75 = "p75",
        /// 95th percentile, type 7.
        P95 = "p95",
        /// Share of true values.
        FractionTrue = "fraction_true",
        /// Number of consecutive unequal values.
        Changes = "changes",
        /// Seconds since the last change.
        TimeSinceChange = "time_since_change",
    }
);

/// A word enum with the word `Null`, which unquoted YAML (and so Kubernetes) turns into null on the way.
pub(super) trait NullWord {
    const NULL: Self;
}

impl NullWord for Infinite {
    const NULL: Self = Self::Null;
}

impl NullWord for OnMismatch {
    const NULL: Self = Self::Null;
}

pub(super) fn null_is_a_word<'de, D: Deserializer<'de>, T: NullWord + Deserialize<'de>>(
    found: D,
) -> Result<Option<T>, D::Error> {
    Ok(Some(Option::deserialize(found)?.unwrap_or(T::NULL)))
}
